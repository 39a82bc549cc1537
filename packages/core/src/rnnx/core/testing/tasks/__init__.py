"""What must hold of every task, on data that suits it."""

from typing import Final

from rnnx.core.testing.check import Check
from rnnx.core.testing.tasks import (
    checkpoints,
    declarations,
    evaluation,
    losses,
    nets,
    prediction,
    splits,
    training,
)

CHECKS: Final[tuple[Check, ...]] = (
    declarations.check_everything_public_is_documented,
    declarations.check_options_are_typed_and_documented,
    declarations.check_meta_is_plain,
    splits.check_batches_have_their_rows,
    splits.check_evaluation_is_of_the_same_examples_in_the_same_order,
    splits.check_training_is_in_a_new_order_each_epoch,
    losses.check_the_loss_is_a_total_and_a_count,
    losses.check_the_loss_of_a_batch_is_that_of_its_rows,
    losses.check_the_gradient_of_a_batch_is_that_of_its_parts,
    losses.check_padding_changes_nothing,
    training.check_every_parameter_gets_a_gradient,
    training.check_training_lowers_the_loss,
    training.check_evaluation_leaves_training_alone,
    training.check_bfloat16_stays_finite_and_close,
    evaluation.check_nothing_is_drawn_at_random_in_evaluation,
    evaluation.check_observing_leaves_the_loss_alone,
    evaluation.check_every_metric_is_updated,
    evaluation.check_metrics_do_not_depend_on_the_batch_size,
    nets.check_any_net_is_trained_or_refused_by_name,
    checkpoints.check_saving_and_loading_change_nothing,
    checkpoints.check_a_checkpoint_is_all_it_takes_to_predict,
    prediction.check_predict_answers_every_line,
    prediction.check_predict_answers_before_the_last_line,
    prediction.check_samples_are_rows_of_one_form,
    prediction.check_samples_are_fragments_of_html,
    prediction.check_views_show_every_line,
    prediction.check_figures_can_be_saved,
)

DATA: Final[tuple[Check, ...]] = (  # those that must hold of any data for a task
    declarations.check_meta_is_plain,
    splits.check_batches_have_their_rows,
    splits.check_evaluation_is_of_the_same_examples_in_the_same_order,
    splits.check_training_is_in_a_new_order_each_epoch,
    training.check_training_lowers_the_loss,
    evaluation.check_metrics_do_not_depend_on_the_batch_size,
    checkpoints.check_a_checkpoint_is_all_it_takes_to_predict,
    prediction.check_samples_are_rows_of_one_form,
    prediction.check_figures_can_be_saved,
)
