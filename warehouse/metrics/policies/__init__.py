"""What optimised policies are worth, from scores: best-of-n and tilting by stored samples, repeats, worst picks."""
