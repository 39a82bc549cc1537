"""What must hold of every cell."""

from typing import Final

from rnnx.core.testing.cells import (
    declarations,
    isolation,
    numerics,
    regularization,
    sequences,
    shapes,
    trees,
)
from rnnx.core.testing.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    declarations.check_paper_and_equations_are_given,
    declarations.check_options_are_typed_and_documented,
    declarations.check_tensors_and_modules_are_registered,
    shapes.check_shapes_are_the_declared_ones,
    numerics.check_numbers_are_finite,
    declarations.check_every_option_acts,
    shapes.check_arguments_are_left_as_they_were,
    sequences.check_reading_twice_gives_the_same,
    sequences.check_a_sequence_is_its_steps_one_by_one,
    sequences.check_unroll_is_the_loop_of_steps,
    sequences.check_the_engines_way_is_the_loop_of_steps,
    sequences.check_chunks_with_the_state_carried_are_the_whole,
    sequences.check_reversal_is_the_flipped_sequence,
    trees.check_a_chain_is_a_sequence,
    trees.check_absent_children_change_nothing,
    isolation.check_padding_changes_nothing,
    isolation.check_neighbours_change_nothing,
    isolation.check_the_gradient_of_a_batch_is_that_of_its_rows,
    isolation.check_rows_can_change_places,
    numerics.check_gradients_are_those_of_finite_differences,
    numerics.check_every_parameter_gets_a_gradient,
    numerics.check_saving_and_loading_change_nothing,
    numerics.check_bfloat16_stays_finite_and_close,
    regularization.check_zoneout_acts,
    regularization.check_weight_drop_acts,
    regularization.check_variational_dropout_acts,
    regularization.check_recurrent_dropout_acts,
)
