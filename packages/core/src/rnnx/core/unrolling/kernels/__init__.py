"""What is done step by step as more than torch's operations.

On a GPU it is a Triton kernel, which is carried out without Python. Rows of a batch know nothing of one
another, so that a block of rows goes along its sequences alone, in one launch. A step falls into *stages*:
what a product reads must be there in full, so that it is made in an earlier stage and written down; all else
is made column by column where it is wanted. Where there is no product, each block of columns goes alone too.

On a CPU products are torch's own, and what is made by elements between them is a function in C, where there
is a compiler.
"""
