"""Crashes, full disks, damage, attacks and invalid input; its report writes docs/reliability.md."""
