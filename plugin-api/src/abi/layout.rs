//! Proofs of the layout, and its fingerprint.
//!
//! Each record's fields are listed once, with their offsets. From that list come the compile-time proofs (offsets and
//! sizes as stated, no padding, alignment at most 8, no field left out), the fingerprint, and the table [`RECORDS`]
//! that the header's own C and C++ assertions are written from.

use super::*;

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLayout {
    /// Name.
    pub name: &'static str,
    /// Offset in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLayout {
    /// Name.
    pub name: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// Fields in order.
    pub fields: &'static [FieldLayout],
}

const fn field_size<R, F>(_: fn(&R) -> &F) -> usize {
    size_of::<F>()
}

/// Fields must follow each other without gaps and fill the record.
const fn is_dense(record: &RecordLayout) -> bool {
    let (mut end, mut i) = (0, 0);
    while i < record.fields.len() {
        if record.fields[i].offset != end {
            return false;
        }
        end += record.fields[i].size;
        i += 1;
    }
    end == record.size
}

macro_rules! layout {
    ($($record:ident: $size:literal { $($field:ident: $offset:literal),+ $(,)? })+) => {
        /// Every record of the interface, in the order that the fingerprint is taken in.
        pub const RECORDS: &[RecordLayout] = &[$(RecordLayout {
            name: stringify!($record),
            size: size_of::<$record>(),
            fields: &[$(FieldLayout {
                name: stringify!($field),
                offset: core::mem::offset_of!($record, $field),
                size: field_size(|record: &$record| &record.$field),
            }),+],
        }),+];
        $(const _: () = {
            assert!(size_of::<$record>() == $size, concat!("size of ", stringify!($record)));
            assert!(align_of::<$record>() <= 8, concat!("alignment of ", stringify!($record)));
            $(assert!(
                core::mem::offset_of!($record, $field) == $offset,
                concat!("offset of ", stringify!($record), ".", stringify!($field))
            );)+
        };)+
    };
}

layout! {
    gw_str: 16 { ptr: 0, len: 8 }
    gw_error: 512 { struct_size: 0, code: 8, length: 12, text: 16 }
    DLDevice: 8 { device_type: 0, device_id: 4 }
    DLDataType: 4 { code: 0, bits: 1, lanes: 2 }
    DLTensor: 48 { data: 0, device: 8, ndim: 16, dtype: 20, shape: 24, strides: 32, byte_offset: 40 }
    gw_entry: 88 {
        struct_size: 0, abi_major: 8, abi_minor: 12, fingerprint: 16, flags: 24, sdk: 32, init: 48, deinit: 56,
        count: 64, get: 72, get_extension: 80,
    }
    gw_strategy: 264 {
        struct_size: 0, id: 8, name: 24, version: 40, description: 56, formula: 72, citation: 88, licence: 104,
        kind: 120, dtypes: 124, devices: 128, reserved: 132, flags: 136, needs: 144, wants: 152, services: 160,
        params: 168, params_count: 176, params_stride: 184, create: 192, destroy: 200, prepare: 208, propose: 216,
        observe: 224, reset: 232, save: 240, load: 248, get_extension: 256,
    }
    gw_param_spec: 112 {
        struct_size: 0, key: 8, doc: 24, kind: 40, reserved: 44, default_i: 48, default_f: 56, default_s: 64, min: 80,
        max: 88, choices: 96, choices_count: 104,
    }
    gw_param: 64 { struct_size: 0, key: 8, kind: 24, reserved: 28, i: 32, f: 40, s: 48 }
    gw_params: 32 { struct_size: 0, values: 8, count: 16, stride: 24 }
    gw_site: 88 {
        struct_size: 0, name: 8, layer: 24, activated: 28, width: 32, rows_per_example: 40, weight_rows: 48,
        weight_columns: 56, has_bias: 64, reserved: 68, following: 72, following_count: 80,
    }
    gw_model: 96 {
        struct_size: 0, sites: 8, site_count: 16, site_stride: 24, batch: 32, classes: 40, dtype: 48, device: 52,
        scope: 56, guesses: 60, granted: 64, services: 72, seed: 80, instance: 88,
    }
    gw_persistent: 40 { struct_size: 0, name: 8, rows: 24, columns: 32 }
    gw_plan: 80 {
        struct_size: 0, call_mode: 8, signal_at: 12, direction: 16, rank: 20, flags: 24, scratch: 32, persistent: 40,
        persistent_count: 48, persistent_stride: 56, oracle_budget: 64, services: 72,
    }
    gw_outcome: 40 { struct_size: 0, loss: 8, scalars: 16, scalars_count: 24, estimate_norm: 32 }
    gw_writer: 24 { struct_size: 0, ctx: 8, write: 16 }
    gw_host: 48 { struct_size: 0, abi_major: 8, abi_minor: 12, name: 16, ctx: 32, get_extension: 40 }
    gw_step: 80 {
        struct_size: 0, ctx: 8, step: 16, site: 24, guesses: 28, batch: 32, progress: 40, oracle_budget: 48, signals: 56,
        inputs: 64, inputs_count: 72,
    }
    gw_tensors: 72 {
        struct_size: 0, input: 8, output: 16, set_seed: 24, persistent: 32, shape: 40, reshape: 48, rows: 56, data: 64,
    }
    gw_ops: 152 {
        struct_size: 0, matmul: 8, pull_back: 16, hadamard: 24, keep_nonzero: 32, softmax: 40, one_hot: 48,
        categorical: 56, axpy: 64, scale: 72, row_scale: 80, dot: 88, row_dot: 96, column_sum: 104, add_row: 112,
        copy: 120, fill: 128, orthonormalise: 136, svd: 144,
    }
    gw_rng: 24 { struct_size: 0, fill: 8, draw: 16 }
    gw_oracle: 32 { struct_size: 0, loss_at: 8, jvp: 16, logit_tangent: 24 }
    gw_metrics: 24 { struct_size: 0, scalar: 8, series: 16 }
    gw_log: 16 { struct_size: 0, write: 8 }
    gw_control: 16 { struct_size: 0, cancelled: 8 }
    gw_scratch: 16 { struct_size: 0, matrix: 8 }
}

const _: () = {
    let mut i = 0;
    while i < RECORDS.len() {
        assert!(is_dense(&RECORDS[i]), "a record has padding, or a field is missing from the list");
        i += 1;
    }
    assert!(cfg!(target_endian = "little") && cfg!(target_pointer_width = "64"), "64-bit little-endian platforms only");
};

const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        i += 1;
    }
    hash
}

const fn fingerprint(records: &[RecordLayout]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325;
    let mut i = 0;
    while i < records.len() {
        let record = &records[i];
        hash = fnv1a(hash, record.name.as_bytes());
        hash = fnv1a(hash, &(record.size as u64).to_le_bytes());
        let mut j = 0;
        while j < record.fields.len() {
            let field = &record.fields[j];
            hash = fnv1a(hash, field.name.as_bytes());
            hash = fnv1a(hash, &(field.offset as u64).to_le_bytes());
            hash = fnv1a(hash, &(field.size as u64).to_le_bytes());
            j += 1;
        }
        i += 1;
    }
    hash
}

/// Hash (FNV-1a, 64 bits) of every record's name and size and every field's name, offset and size, in order. A plugin
/// built against a draft is refused unless its fingerprint is the host's.
pub const GW_ABI_FINGERPRINT: u64 = fingerprint(RECORDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_depends_on_order_names_and_offsets() {
        const A: FieldLayout = FieldLayout { name: "a", offset: 0, size: 8 };
        const B: FieldLayout = FieldLayout { name: "b", offset: 8, size: 8 };
        let record = |fields| [RecordLayout { name: "r", size: 16, fields }];
        let base = fingerprint(&record(&[A, B]));
        assert_ne!(base, fingerprint(&record(&[B, A])));
        assert_ne!(base, fingerprint(&record(&[A, FieldLayout { offset: 4, ..B }])));
        assert_ne!(base, fingerprint(&record(&[A, FieldLayout { name: "c", ..B }])));
        assert_ne!(base, fingerprint(&record(&[A])));
    }

    #[test]
    fn gaps_are_seen() {
        const A: FieldLayout = FieldLayout { name: "a", offset: 0, size: 4 };
        const B: FieldLayout = FieldLayout { name: "b", offset: 8, size: 8 };
        assert!(!is_dense(&RecordLayout { name: "r", size: 16, fields: &[A, B] }));
        assert!(!is_dense(&RecordLayout { name: "r", size: 8, fields: &[A] }));
    }
}
