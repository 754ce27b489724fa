"""Parts of stages as tasks of Ray: `options` ask for it, `engine` hands out, `task` makes; `submitted` starts runs."""
