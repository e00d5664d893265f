//! The records that show a model and parameters to a plugin. They borrow what they are made of.
#![forbid(unsafe_code)]

use super::params::Value;
use super::sites::SiteView;
use guesswork_plugin::abi::{self, gw_param, gw_site, gw_str};

/// A site.
pub(super) fn site_record(view: &SiteView) -> gw_site {
    gw_site {
        struct_size: size_of::<gw_site>() as u64,
        name: gw_str::new(&view.name),
        layer: view.layer,
        activated: view.activated.into(),
        width: view.width as u64,
        rows_per_example: view.rows_per_example as u64,
        weight_rows: view.weight[0] as u64,
        weight_columns: view.weight[1] as u64,
        has_bias: view.bias.is_some().into(),
        reserved: 0,
        following: view.following.as_ptr(),
        following_count: view.following.len() as u64,
    }
}

/// A value.
pub(super) fn parameter(key: &str, value: &Value) -> gw_param {
    let (kind, i, f, s) = match value {
        Value::Int(value) => (abi::GW_PARAM_INT, *value, 0.0, ""),
        Value::Float(value) => (abi::GW_PARAM_FLOAT, 0, *value, ""),
        Value::Bool(value) => (abi::GW_PARAM_BOOL, i64::from(*value), 0.0, ""),
        Value::Choice(value) => (abi::GW_PARAM_CHOICE, 0, 0.0, value.as_str()),
        Value::Text(value) => (abi::GW_PARAM_TEXT, 0, 0.0, value.as_str()),
    };
    let (key, s) = (gw_str::new(key), gw_str::new(s));
    gw_param { struct_size: size_of::<gw_param>() as u64, key, kind, reserved: 0, i, f, s }
}
