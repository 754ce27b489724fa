"""What gives texts their scores: reward models trained here, added ones, and servers."""
