//! Entries that lie about themselves.

use super::*;

#[test]
fn an_honest_entry_is_read() {
    let info = probe::read(probe::entry(), probe::strategy()).unwrap();
    assert_eq!((info.id.as_str(), info.name.as_str(), info.kind), ("probe", "Probe", Kind::Signal));
    assert_eq!(info.needs.to_string(), "weight, pre-activation, derivative");
}

#[test]
fn every_lie_in_an_entry_is_refused_with_its_reason() {
    let bad_text = [0xff_u8, 0xfe];
    type Lie<'a> = (&'a str, Box<dyn Fn(&mut gw_entry, &mut gw_strategy) + 'a>);
    let lies: Vec<Lie<'_>> = vec![
        ("struct_size is 16", Box::new(|entry, _| entry.struct_size = 16)),
        ("version 2 of the plugin interface", Box::new(|entry, _| entry.abi_major = 2)),
        ("layout fingerprint", Box::new(|entry, _| entry.fingerprint ^= 1)),
        ("must-understand flags 0x10000000000", Box::new(|entry, _| entry.flags |= 1 << 40)),
        ("`count` and `get`", Box::new(|entry, _| entry.get = None)),
        ("sdk of gw_entry: not UTF-8", Box::new(|entry, _| entry.sdk = gw_str { ptr: bad_text.as_ptr(), len: 2 })),
        ("gw_strategy: struct_size is 8", Box::new(|_, strategy| strategy.struct_size = 8)),
        ("its id: `` is empty", Box::new(|_, strategy| strategy.id = gw_str::EMPTY)),
        ("its id: a null string", Box::new(|_, strategy| strategy.id = gw_str { ptr: ptr::null(), len: 4 })),
        ("its id: not UTF-8", Box::new(|_, strategy| strategy.id = gw_str { ptr: bad_text.as_ptr(), len: 2 })),
        ("`backprop` is the host's own", Box::new(|_, strategy| strategy.id = gw_str::new("backprop"))),
        ("`mixture` is the host's own", Box::new(|_, strategy| strategy.id = gw_str::new("mixture"))),
        ("its kind: 9", Box::new(|_, strategy| strategy.kind = 9)),
        ("`propose` must be given", Box::new(|_, strategy| strategy.propose = None)),
        ("`dtypes` names none", Box::new(|_, strategy| strategy.dtypes = 0)),
        ("must-understand", Box::new(|_, strategy| strategy.flags |= 1 << 63)),
        ("its name: not UTF-8", Box::new(|_, strategy| strategy.name = gw_str { ptr: bad_text.as_ptr(), len: 2 })),
        ("the pointer is null", Box::new(|_, strategy| (strategy.params_count, strategy.params_stride) = (1, 256))),
        ("a stride of 8 bytes", Box::new(|_, strategy| (strategy.params_count, strategy.params_stride) = (1, 8))),
    ];
    for (expected, lie) in lies {
        let (mut entry, mut strategy) = (probe::entry(), probe::strategy());
        lie(&mut entry, &mut strategy);
        let refusal = probe::read(entry, strategy).expect_err(expected).to_string();
        assert!(refusal.contains(expected), "expected `{expected}` in `{refusal}`");
    }
}

#[test]
fn unknown_flags_that_may_be_ignored_are_and_longer_records_are_read() {
    #[repr(C)]
    struct Longer(gw_strategy, [u64; 4]);
    let (mut entry, mut strategy) = (probe::entry(), probe::strategy());
    entry.flags |= 1 << 20;
    strategy.flags |= 1 << 30;
    strategy.struct_size += 32;
    let longer: &'static Longer = Box::leak(Box::new(Longer(strategy, [u64::MAX; 4])));
    // SAFETY: a copy of the known part, whose size speaks of the longer record; only the known part is read.
    let known = unsafe { ptr::read(&longer.0) };
    assert_eq!(probe::read(entry, known).unwrap().id, "probe");
}

#[test]
fn parameter_schemas_are_checked() {
    fn spec() -> gw_param_spec {
        gw_param_spec {
            struct_size: size_of::<gw_param_spec>() as u64,
            key: gw_str::new("depth"),
            doc: gw_str::new("Layers."),
            kind: abi::GW_PARAM_INT,
            reserved: 0,
            default_i: 1,
            default_f: 0.0,
            default_s: gw_str::EMPTY,
            min: 1.0,
            max: 8.0,
            choices: ptr::null(),
            choices_count: 0,
        }
    }
    let read = |specs: Vec<gw_param_spec>| {
        let mut strategy = probe::strategy();
        strategy.params_count = specs.len() as u64;
        strategy.params_stride = size_of::<gw_param_spec>() as u64;
        strategy.params = specs.leak().as_ptr();
        probe::read(probe::entry(), strategy)
    };
    let good = read(vec![spec()]).unwrap();
    assert_eq!(good.params[0].kind, ParamKind::Int { default: 1, min: 1.0, max: 8.0 });
    let bad: [(&str, fn(&mut gw_param_spec)); 6] = [
        ("lies outside 1 to 8", |spec| spec.default_i = 9),
        ("admit nothing", |spec| spec.max = f64::NAN),
        ("is empty", |spec| spec.key = gw_str::EMPTY),
        ("a choice of 0 words", |spec| spec.kind = abi::GW_PARAM_CHOICE),
        ("77 is no type", |spec| spec.kind = 77),
        ("0 or 1, not 5", |spec| (spec.kind, spec.default_i) = (abi::GW_PARAM_BOOL, 5)),
    ];
    for (expected, break_it) in bad {
        let mut broken = spec();
        break_it(&mut broken);
        let refusal = read(vec![broken]).expect_err(expected).to_string();
        assert!(refusal.contains(expected) && refusal.contains("parameter"), "{refusal}");
    }
    assert!(read(vec![spec(), spec()]).unwrap_err().to_string().contains("stands there twice"));
}
