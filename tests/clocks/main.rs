//! Stories in which time matters: hosts and machines in this process, with clocks that the test moves.
