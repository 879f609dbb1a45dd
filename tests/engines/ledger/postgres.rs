//! What only a server can do wrong, and what its refusals are turned into.
