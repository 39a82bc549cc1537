"""The notebook of the documentation is run, as its reader would run it, in a kernel of this environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
INTERRUPTED = """
import signal
Experiment.from_words("cell=gru", *SMALL, "name=stopped").run(
    progress=False, say=lambda line: signal.raise_signal(signal.SIGINT)
)
"""
AGAIN = 'Experiment.resume("stopped", "trainer.max_epochs=2").values["seed"]'


class Kernel(AsyncKernelManager):
    """Python of this environment, whatever kernels are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])


def outputs(cell: NotebookNode, kind: str) -> list[Any]:
    return [output for output in cell.get("outputs", []) if output.output_type == kind]


def written(cell: NotebookNode, name: str) -> str:
    return "".join(output.text for output in outputs(cell, "stream") if output.name == name)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook with what its cells came to, and after them a run that is interrupted and gone on with."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    interrupted = nbformat.v4.new_code_cell(INTERRUPTED, metadata={"tags": ["raises-exception"]})
    notebook.cells += [interrupted, nbformat.v4.new_code_cell(AGAIN)]
    client = NotebookClient(
        notebook, timeout=300, kernel_manager_class=Kernel, resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_training_says_a_line_an_epoch_and_nothing_else(executed: NotebookNode) -> None:
    training = [cell for cell in executed.cells if cell.cell_type == "code" and ".run()" in cell.source]
    assert len(training) == 2
    for cell in training:
        lines = written(cell, "stdout").splitlines()
        assert [line.partition(" (")[0] for line in lines] == ["epoch 1", "epoch 2", "epoch 3"]
        assert written(cell, "stderr") == ""


def test_it_predicts_draws_and_compares(executed: NotebookNode) -> None:
    results = {
        cell.source.splitlines()[-1]: outputs(cell, "execute_result")[0].data
        for cell in executed.cells
        if outputs(cell, "execute_result")
    }
    (answer,) = (data["text/plain"] for source, data in results.items() if "run.predict" in source)
    assert "University of Nikare" in answer
    assert results["gradient_flow(flows)"]["image/png"]
    assert set(eval(results["scores"]["text/plain"])) == {"gru", "elman"}


def test_an_interrupt_stops_the_run_and_not_the_kernel(executed: NotebookNode) -> None:
    interrupted, again = executed.cells[-2:]
    (error,) = outputs(interrupted, "error")
    assert (error.ename, error.evalue) == ("Interrupted", "SIGINT")
    assert outputs(again, "execute_result")[0].data["text/plain"] == "1"
