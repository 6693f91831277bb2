//! The suite: stories of the whole, told with real hosts, real machines and a real DNS server on loopback.

mod architecture;
