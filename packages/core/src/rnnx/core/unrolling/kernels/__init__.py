"""What is done step by step as more than torch's operations.

Rows of a batch know nothing of one another, so that a block of rows goes along its sequences alone, without
Python: on a GPU in one launch of a Triton kernel, on a CPU in one call of a function in C, where there is a
compiler. A step falls into *stages*: what a product reads must be there in full, so that it is made in an
earlier stage and written down; all else is made column by column where it is wanted. Where there is no
product, each block of columns goes alone too on a GPU.

Of a step that is not written as a whole the operations that are go together in functions in C.

Both languages share three modules: ``formulas``, torch's operations as text; ``layout``, in which stage a
value is made and where it lies; and ``columns``, how what is made of a row is written. The folders ``c`` and
``triton`` have each language's own: the whole text (``program``, ``source``), what is made of a row in it
(``loops``, ``tiles``), and the loop over time that calls it (``native``, ``kernel``).
"""
