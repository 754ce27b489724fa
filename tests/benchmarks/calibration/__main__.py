"""`python -m tests.benchmarks.calibration`."""

from tests.benchmarks.calibration.cells import main

if __name__ == "__main__":
    main()
