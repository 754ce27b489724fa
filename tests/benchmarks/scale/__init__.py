"""How far one warehouse file goes: simulated studies at the paper's size and ten times it; docs/scale.md."""
