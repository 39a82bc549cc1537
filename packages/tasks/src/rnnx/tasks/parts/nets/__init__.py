"""The parts that models are made of, beside the recurrent net."""
