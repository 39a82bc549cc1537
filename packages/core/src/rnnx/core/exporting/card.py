"""The card of a model: what people and Hugging Face's hub read about it first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult, ModelCardData

from rnnx.core.runs import RESULT, read_result

if TYPE_CHECKING:
    from rnnx.core.run import Run

TEXT = """\
---
{header}
---

# {name}

A recurrent network for the task `{task}` with the cell `{cell}`{size}, trained by rnnx on the data `{data}`.
{numbers}
## How to use it

```sh
pip install rnnx
rnnx predict {folder} < lines.txt
```

```python
from rnnx.core.run import Run

for answer in Run.load({name!r}).predict(["..."]):
    print(answer)
```

`config.yaml` has every option, `model.json` the vocabulary, `model.safetensors` the weights.
"""


def card(run: Run, name: str) -> str:
    """The card, in Markdown, with the header in YAML that the hub reads.

    Args:
        run: The model; what its ``result.json`` says is told, if there is one and it is of this model.
        name: The model's.
    """
    config = run.config
    told = run.checkpoint is None and (run.folder / RESULT).is_file()
    values = read_result(run.folder) if told else None
    pipeline = run.task.pipeline
    header = ModelCardData(
        library_name="rnnx",
        pipeline_tag=pipeline,
        tags=["rnn", config.task.name, config.cell.name],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type=pipeline or config.task.name,
                dataset_type=config.data.short,
                dataset_name=config.data.short,
                dataset_split="test",
                metric_type=metric,
                metric_value=value,
            )
            for metric, value in (values["test"] if values else {}).items()
        ]
        or None,
    )
    return TEXT.format(
        header=header.to_yaml(),
        name=name,
        folder=shlex.quote(name),
        task=config.task.name,
        cell=config.cell.name,
        data=config.data.short,
        size=f" and {values['parameters']:,} parameters" if values else "",
        numbers="\n".join(_numbers(values)) if values else "",
    )


def _numbers(values: Mapping[str, Any]) -> Iterator[str]:
    yield "\n| metric | validation | test |\n| --- | ---: | ---: |"
    for metric in dict.fromkeys((*values["valid"], *values["test"])):
        splits = (values[split].get(metric) for split in ("valid", "test"))
        yield f"| {metric} | {' | '.join('' if value is None else f'{value:,.4g}' for value in splits)} |"
    versions = ", ".join(f"{library} {version}" for library, version in values["versions"].items())
    yield f"\nSeed {values['seed']}, {values['seconds']['fit']:,.0f} seconds of training; {versions}."
    if values["command"]:
        yield f"\n```sh\n{values['command']}\n```"
    yield ""
