"""A model handed on: as a folder, or to the hub."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from fiber.checkpoints.model_folder import METRICS_FILE, ModelParts, write_model_folder
from fiber.inference.model_loading import LoadedModel
from fiber.utils.errors import UserError


def save_model(loaded: LoadedModel, folder: Path, *, origin: str = "Trained with this library.") -> None:
    """Write a model folder with a card that shows the recipe and what the run measured.

    Args:
        loaded: the model.
        folder: made if it does not exist.
        origin: of the weights, a sentence for the card.
    """
    parts = ModelParts(loaded.model, loaded.description, loaded.tokenizer, loaded.answers, loaded.recipe)
    write_model_folder(parts, folder, origin=origin, metrics=read_metrics(loaded.folder))


def read_metrics(folder: Path) -> dict[str, float]:
    """What a run measured; nothing where it keeps no such file."""
    file = folder / METRICS_FILE
    found: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
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
