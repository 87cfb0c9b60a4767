//! Sizes and places that both sides of the boundary agree on; `c_abi.zig` publishes them. They are
//! not settings: a value that changed changes the fingerprint of the library.
//! The areas of a scratch follow one another without overlap: words, key area A, key area B, data.

/// Bytes of a session's scratch.
pub const scratch_size: u32 = 262144;
/// f64 numbers at the beginning of the scratch.
pub const word_count: u32 = 64;
/// Where key area A begins in the scratch.
pub const key_a_offset: u32 = 512;
/// Where key area B begins in the scratch.
pub const key_b_offset: u32 = 33280;
/// Bytes of each key area.
pub const key_area_size: u32 = 32768;
/// Where the data area begins in the scratch.
pub const data_offset: u32 = 66048;
/// Bytes of the data area.
pub const data_size: u32 = scratch_size - data_offset;
/// Values of a range from this size on go to the block of its caller.
pub const block_value_min: u32 = 1024;
/// Each value in a block begins at a multiple of it.
pub const block_alignment: u32 = 8;
