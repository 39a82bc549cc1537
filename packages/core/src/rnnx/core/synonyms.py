"""What ``nn.LSTM``, Lightning, fairseq, JoeyNMT, Keras and OpenNMT call what rnnx has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

ELSEWHERE: Final = {  # by rnnx's name; where there are several of one kind, the commonest first
    # sections and keys
    "trainer": "training",
    "cell": "model rnn rnn_type rnn_cell rnncell cell_type",
    "optimizer": "optim",
    "schedule": "scheduler scheduling lr_scheduler decay_method",
    "out": "model_dir save_dir output_dir save_model default_root_dir log_dir exp_dir",
    "seed": "random_seed manual_seed",
    # options
    "hidden_size": "units rnn_size hidden_dim hid_dim hidden nhid num_units enc_hid_dim dec_hid_dim",
    "layers": "num_layers n_layers nlayers enc_layers dec_layers encoder_layers decoder_layers",
    "bidirectional": "brnn bidir encoder_bidirectional",
    "embedding_size": "embedding_dim embed_dim emb_dim emb_size emsize word_vec_size encoder_embed_dim",
    "embedding_frozen": "freeze_embeddings freeze_word_vecs_enc freeze_word_vecs_dec",
    "embedding_dropout": "emb_dropout dropout_emb dropoute",
    "tied": "tied_embeddings tied_softmax tie_embeddings tie_weights tie_word_embeddings "
    "share_decoder_embeddings share_decoder_input_output_embed",
    "shared_vocabulary": "share_vocab joint_vocab joined_dictionary share_all_embeddings",
    "weight_drop": "wdrop dropconnect",
    "variational_state": "dropouth",
    "input_feeding": "input_feed",
    "beam_size": "beam beam_width num_beams",
    "length_penalty": "lenpen beam_alpha",
    "no_repeat_ngram": "no_repeat_ngram_size block_ngram_repeat",
    "lr": "learning_rate",
    "weight_decay": "l2 wdecay",
    "gradient_clip_val": "clip_grad_norm max_grad_norm grad_clip clip_gradients clip_norm clipnorm clip",
    "accumulate_grad_batches": "batch_multiplier update_freq accum_count gradient_accumulation_steps",
    "max_epochs": "epochs num_epochs n_epochs max_epoch num_train_epochs",
    "max_steps": "train_steps max_update max_updates num_steps",
    "val_check_interval": "validation_freq valid_steps",
    "precision": "fp16 amp mixed_precision",
    "devices": "gpus num_gpus n_gpu world_size",
    "accelerator": "use_cuda cuda device",
    "patience": "early_stopping early_stop",
    "save_top_k": "keep keep_best keep_best_ckpts keep_best_checkpoints keep_last_ckpts keep_checkpoint",
    "bptt": "tokens_per_sample seq_len sequence_length",
    "batch_size": "bs bsz max_sentences",
    "vocabulary_size": "vocab_size voc_limit src_vocab_size max_features",
    "target_vocabulary_size": "tgt_vocab_size",
    "min_frequency": "voc_min_freq min_freq vocab_min_freq words_min_frequency",
    "workers": "num_workers",
    # cells, tasks, optimizers, schedules
    "elman": "rnn simplernn simple_rnn vanilla vanilla_rnn rnn_tanh",
    "lstm": "lstmcell cudnnlstm",
    "gru": "grucell cudnngru",
    "nmt": "translation mt machine_translation seq2seq",
    "lm": "language_modeling language_model",
    "ner": "tagging sequence_tagging token_classification named_entity_recognition",
    "sentiment": "classification text_classification",
    "captioning": "caption image_captioning img2txt",
    "plateau": "reducelronplateau reduce_lr_on_plateau",
    "cosine": "cosineannealinglr cosineannealing cosine_annealing",
    "exponential": "exponentiallr exponential_decay",
    "inverse-sqrt": "noam inverse_sqrt inv_sqrt warmup",
    # values
    "additive": "bahdanau mlp",
    "general": "luong multiplicative bilinear",
    "char": "character chars characters",
    "bpe": "subword subword_nmt subwords sentencepiece spm",
    # commands
    "run": "train fit",
    "predict": "translate generate interactive infer inference",
    "test": "eval evaluate validate score",
    "sweep": "search tune hyperopt",
    "resume": "continue",
    "average": "average_checkpoints average_models average-checkpoints average-models swa",
    "find-lr": "lr_find lr-find find_lr",
}
_OURS: Final = {
    name: [ours for ours, theirs in ELSEWHERE.items() if name in theirs.split()]
    for name in {name for theirs in ELSEWHERE.values() for name in theirs.split()}
}


def synonym(name: str, choices: Collection[str]) -> str | None:
    """The choice that another program calls by this name, capitals or not; None if none is.

    Example:
        >>> synonym("clip_grad_norm", ["max_epochs", "gradient_clip_val"])
        'gradient_clip_val'
        >>> synonym("ReduceLROnPlateau", ["constant", "plateau"])
        'plateau'
        >>> synonym("gradient_clip_val", ["gradient_clip_val"])
    """
    return next((ours for ours in _OURS.get(name.lower(), ()) if ours in choices), None)
