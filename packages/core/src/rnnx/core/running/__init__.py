"""A model trained in the folder of its run: by what, who watches it, what stops it, and what is kept."""
