#pragma once

namespace strata::io {

/// Raises the limit of descriptors of this process to the hard limit: the soft limit of most machines, 1,024, is less
/// than the connections that a server accepts and the files that a filler holds open.
void raise_descriptor_limit();

}  // namespace strata::io
