"""Models on Hugging Face's hub, by its own library."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError

from rnnx.core.errors import RunError, UsageError
from rnnx.core.exporting import exported

if TYPE_CHECKING:
    from rnnx.core.run import Run


def push(run: Run, repository: str, *, private: bool = False, message: str | None = None) -> str:
    """Uploads a model, as :func:`rnnx.core.exporting.exported.write` writes it, in one commit.

    Args:
        run: The model; of a folder that was exported, the files are taken as they are.
        repository: ``OWNER/NAME``, which is made if there is none.
        private: Whether only its owner is to see it.
        message: Of the commit.

    Returns:
        The address of the repository.

    Raises:
        UsageError: there is no token, the name is wrong, or the repository is there already and not private.
        RunError: the hub cannot be reached, or refuses.
    """
    if get_token() is None:
        raise UsageError("no token of Hugging Face's: say `hf auth login`, or set HF_TOKEN")
    api = HfApi(library_name="rnnx")
    with TemporaryDirectory() as temporary:
        folder = run.folder
        if not exported.is_exported(folder):
            folder = Path(temporary) / repository.rpartition("/")[2]
            exported.write(run, folder)
        try:
            address = api.create_repo(repository, private=private or None, exist_ok=True)
            public = private and not api.model_info(address.repo_id).private
            if not public:
                api.upload_folder(
                    repo_id=address.repo_id, folder_path=folder, commit_message=message or "rnnx push"
                )
        except HFValidationError as error:
            raise UsageError(f"REPO: expected OWNER/NAME, got {repository!r}: {error}") from error
        except Exception as error:  # its own, and those of the libraries by which it speaks
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise RunError(f"{repository}: could not be pushed to {api.endpoint}: {reason}") from error
    if public:
        raise UsageError(
            f"{repository} is there already, for all to see: leave out --private, or give another"
        )
    return str(address)
