"""Files uploaded in the page: checked, then read in a process of their own with limits of memory and time."""
