"""A model handed on: as a folder, or to the hub."""

from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from fiber.checkpoints.model_folder import DESCRIPTION_FILE, write_model_folder
from fiber.checkpoints.run_folder import METRICS_FILE
from fiber.data.readers.files import read_json
from fiber.inference.model_loading import LoadedModel
from fiber.utils.errors import UserError
from fiber.utils.ranges import is_number

TRAINED = "Trained with this library."


def save_model(loaded: LoadedModel, folder: Path, *, origin: str | None = None, with_records: bool = True) -> None:
    """Write a model folder with a card that shows the recipe and what the run measured.

    Args:
        loaded: the model.
        folder: made if it does not exist.
        origin: of the weights, a sentence for the card; None takes that of the folder which the model was loaded from.
        with_records: take over what that folder keeps of a conversion.

    Raises:
        UserError: the folder is a file or the directory of a run, or the metrics of the model are damaged.
    """
    write_model_folder(
        loaded,
        folder,
        origin=origin or read_origin(loaded.folder),
        metrics=read_metrics(loaded.folder),
        records=loaded.folder if with_records else None,
    )


def read_origin(folder: Path) -> str:
    """Where the weights in a folder come from, in words for people."""
    file = folder / DESCRIPTION_FILE
    content = read_json(file, expected="the description of an exported model") if file.is_file() else {}
    return str(content.get("origin") or TRAINED)


def read_metrics(folder: Path) -> dict[str, float]:
    """What a run measured; nothing where it keeps no such file.

    Raises:
        UserError: the file is damaged.
    """
    file = folder / METRICS_FILE
    if not file.is_file():
        return {}
    expected = "numbers by name, as a run writes them; without the file the model counts as not measured"
    found = read_json(file, expected=expected)
    if not isinstance(found, dict) or not all(is_number(value) for value in found.values()):
        raise UserError(f"{file} is of another format: expected {expected}.")
    return found


def push_model(loaded: LoadedModel, repository: str, *, private: bool = False, token: str | None = None) -> str:
    """Upload a model folder to the hub, into a repository that is made if it does not exist.

    Args:
        loaded: the model.
        repository: `name/model`.
        private: of a repository that is made.
        token: of the hub; None takes that of `hf auth login`.

    Returns:
        Address of the commit.

    Raises:
        UserError: the hub cannot be reached or refuses.
    """
    api = HfApi(token=token)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        with TemporaryDirectory() as folder:
            save_model(loaded, Path(folder))
            return str(api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload FIBER model"))
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        raise UserError(
            f"the hub does not take {repository} ({type(error).__name__}): give NAME/MODEL of your own, log in with "
            "`hf auth login`, and see that there is a network."
        ) from error
