"""How a whole sequence is read at once: packed, its step recorded, sorted and replayed.

The way of a batch: :func:`~rnnx.core.engine.scan`; ``packing``, rows by falling length; ``plans``, which
plan, kept by ``fingerprint``; if there is none yet, ``making``, which compares the ``plan`` that ``sorting``
makes of what ``trace`` recorded; ``unrolled``, the one operation of autograd; ``time_loop``, along time by
torch's operations, or one of ``kernels``; and back through ``unrolled``. What the words here are in the
field, and where they are found:

* *graph* and *node*: torch.fx's, of one step and of its vector-Jacobian product (``trace``, ``operations``,
  ``step_graph``);
* *saved tensors*: what is ``kept``, filled step by step, and ``held``, made of all steps at once (``plan``);
* *remade*: rematerialized, made once more where it is read instead of saved (``step_graph``, ``sorting``);
* *at* something: the gradient there that comes from above, a cotangent; *to* something: that which is made;
* *room*: output buffers, made by the caller and filled at each step (``time_loop``);
* *prologue*, *epilogue*: what is made before and after the loop over time, of all steps at once (``plan``);
* *block*: steps of a backward pass that are made together (``unrolled``), or rows that are (``kernels``);
* *panels*: a matrix packed for the registers, as a BLAS packs it; *tile*: what of a product is in registers;
* *stage*: a part of a step before which its products' inputs must be there in full (``layout``);
* *scratch*: workspace, what a later stage of the same step reads and nobody after it.
"""
