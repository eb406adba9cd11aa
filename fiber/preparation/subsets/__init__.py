"""Small copies of data sets, format by format."""
