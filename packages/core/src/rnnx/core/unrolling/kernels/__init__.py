"""What is done step by step as a Triton kernel, which a GPU carries out without Python.

Rows of a batch know nothing of one another, so that a block of rows goes along its sequences alone, in one
launch. A step falls into *stages*: what a product reads must be there in full, so that it is made in an
earlier stage and written down; all else is made column by column where it is wanted. Where there is no
product, each block of columns goes alone too.
"""
