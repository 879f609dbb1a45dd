//! Gob against Go: values captured from Go's own encoder (captures/gob-values.go is the recipe) decode to what the Go
//! program said, and encode to the very same bytes.

use goplugin_wire::gob::encode::{EncodeError, Encoder, TypeIds};
use goplugin_wire::gob::time::go_time;
use goplugin_wire::{Schema, StructDef, Value};

use crate::wire::decode_all;
use crate::{captured, encode_all, list, pairs, text};

fn inner(name: &str) -> Value {
    Value::record("Inner", (!name.is_empty()).then(|| ("Name", text(name))))
}

fn inner_schema() -> Schema {
    StructDef::new("Inner").field("Name", Schema::String).into()
}

fn names_schema() -> Schema {
    Schema::slice("[]string", Schema::String)
}

fn scalars() -> Vec<(Schema, Value)> {
    let schema: Schema = StructDef::new("Scalars")
        .field("Yes", Schema::Bool)
        .field("Small", Schema::Int)
        .field("Big", Schema::Int)
        .field("Count", Schema::Uint)
        .field("Ratio", Schema::Float)
        .field("Wave", Schema::Complex)
        .field("Raw", Schema::Bytes)
        .field("Text", Schema::String)
        .pointer("Point", Schema::Int)
        .field("Zero", Schema::Int)
        .into();
    let full = Value::record(
        "Scalars",
        [
            ("Yes", true.into()),
            ("Small", Value::Int(-5)),
            ("Big", Value::Int(i64::MIN)),
            ("Count", Value::Uint(1 << 31)),
            ("Ratio", Value::Float(17.25)),
            ("Wave", Value::Complex(1.0, -2.0)),
            ("Raw", Value::Bytes(vec![0, 255])),
            ("Text", text("grüß")),
            ("Point", Value::Int(7)),
        ],
    );
    vec![(schema.clone(), full), (schema, Value::record("Scalars", []))]
}

fn singles() -> Vec<(Schema, Value)> {
    vec![
        (Schema::Int, Value::Int(-129)),
        (Schema::Uint, Value::Uint(300)),
        (Schema::String, text("x")),
        (Schema::Bytes, Value::Bytes(b"y".to_vec())),
        (Schema::Float, Value::Float(2.5)),
        (Schema::Complex, Value::Complex(0.0, 1.0)),
        (Schema::Bool, false.into()),
    ]
}

fn containers_schema() -> Schema {
    StructDef::new("Containers")
        .field("Names", names_schema())
        .field("Labels", Schema::map("map[string]int", Schema::String, Schema::Int))
        .field("Fixed", Schema::array("[3]uint16", Schema::Uint, 3))
        .field("Inners", Schema::slice("[]main.Inner", inner_schema()))
        .field("ByName", Schema::map("map[string]*main.Inner", Schema::String, inner_schema()))
        .field("Matrix", Schema::slice("[][]float64", Schema::slice("", Schema::Float)))
        .field("Empty", Schema::map("map[string]string", Schema::String, Schema::String))
        .field("Held", inner_schema())
        .pointer("Pointed", inner_schema())
        .pointer("Nothing", inner_schema())
        .into()
}

/// A zero array and a zero struct are sent by Go, and so come back.
fn zero_containers(more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let zero = [("Fixed", list([Value::Uint(0), Value::Uint(0), Value::Uint(0)])), ("Held", inner(""))];
    Value::record("Containers", more.into_iter().chain(zero))
}

fn containers() -> Vec<(Schema, Value)> {
    let full = Value::record(
        "Containers",
        [
            ("Names", list([text("a"), text("")])),
            ("Labels", pairs([("one", Value::Int(1))])),
            ("Fixed", list([Value::Uint(1), Value::Uint(0), Value::Uint(3)])),
            ("Inners", list([inner("i"), inner("")])),
            ("ByName", pairs([("p", inner("q"))])),
            ("Matrix", list([list([Value::Float(1.0)]), list([])])),
            ("Empty", pairs([])),
            ("Held", inner("")),
            ("Pointed", inner("")),
        ],
    );
    vec![(containers_schema(), full), (containers_schema(), zero_containers([]))]
}

fn boxed(before: &str, content: Value, after: &str) -> Value {
    let fields = [("Before", text(before)), ("Content", content), ("After", text(after))];
    let zero = |value: &Value| value.is_nil() || value.as_str() == Some("");
    Value::record("Box", fields.into_iter().filter(|(_, value)| !zero(value)))
}

/// Go names a type without a name of its own only when it first meets it in a field; these it meets elsewhere.
/// A Box holds anything, itself included. Schemas are trees, so it is written out as deep as the capture goes; to Go's
/// stream all these are one type, and here they must become one as well.
fn box_schema(deep: usize) -> Schema {
    let mut held = vec![
        ("pkg.Inner", inner_schema()),
        ("[]string", names_schema()),
        ("pkg.Deep", Schema::map("", Schema::String, containers_schema())),
    ];
    if deep > 0 {
        held.push(("pkg.Box", box_schema(deep - 1)));
    }
    StructDef::new("Box")
        .field("Before", Schema::String)
        .field("Content", Schema::interface(held))
        .field("After", Schema::String)
        .into()
}

fn interfaces() -> Vec<(Schema, Value)> {
    let held = |value| Value::interface("pkg.Inner", value);
    let nested = |content| Value::interface("pkg.Box", content);
    let names = Value::interface("[]string", list([text("deep")]));
    let any = [("string", Schema::String), ("int", Schema::Int), ("pkg.Inner", inner_schema())];
    let anything = Schema::slice("", Schema::interface(any));
    let things = [
        Value::interface("string", text("text")),
        Value::interface("int", Value::Int(5)),
        Value::nil(),
        held(inner("x")),
    ];
    // Fixed and Held come in the order of their declaration.
    let deep = Value::record(
        "Containers",
        [
            ("Names", list([text("n")])),
            ("Fixed", list([Value::Uint(0), Value::Uint(0), Value::Uint(0)])),
            ("Held", inner("")),
        ],
    );
    vec![
        (Schema::interface([("pkg.Inner", inner_schema())]), held(inner("top"))),
        (box_schema(2), boxed("a", held(inner("in")), "b")),
        (box_schema(2), boxed("a", nested(boxed("c", nested(boxed("e", names, "f")), "d")), "b")),
        (box_schema(2), boxed("a", Value::nil(), "b")),
        (anything, list(things)),
        (box_schema(2), boxed("m", Value::interface("pkg.Deep", pairs([("k", deep)])), "")),
    ]
}

#[test]
fn what_go_encoded_decodes_to_what_go_meant() {
    let cases =
        [("scalars", scalars()), ("singles", singles()), ("containers", containers()), ("interfaces", interfaces())];
    for (name, expected) in cases {
        let expected: Vec<Value> = expected.into_iter().map(|(_, value)| value).collect();
        assert_eq!(decode_all(&captured(name)), expected, "{name}");
    }
    let tree = decode_all(&captured("tree")).remove(0);
    assert_eq!(tree.at(&["Left", "Right", "Value"]).and_then(Value::as_i64), Some(3), "a type that contains itself");
}

/// Byte for byte, the numbers of the types included: Go counts them in the order in which it meets them.
#[test]
fn what_go_encoded_is_encoded_to_the_same_bytes() {
    let mut ids = TypeIds::starting_at(64);
    for (name, values) in [("scalars", scalars()), ("singles", singles()), ("containers", containers())] {
        assert_eq!(encode_all(&mut ids, &values), captured(name), "{name}");
    }
    let slice = [(names_schema(), list([text("s")]))];
    assert_eq!(encode_all(&mut ids, &slice), captured("slice"), "a type that another stream has numbered");
    ids.skip(1); // Tree, which contains itself and so has no schema
    assert_eq!(encode_all(&mut ids, &interfaces()), captured("interfaces"));
}

#[test]
fn times_stay_opaque_and_are_read_by_whoever_knows_them() {
    let times = decode_all(&captured("times")).remove(0);
    let time = |field| go_time(times.field(field)?.as_bytes()?);
    assert!(matches!(times.field("At"), Some(Value::Opaque(_))));
    assert_eq!(time("At"), Some((1_767_355_200, 500)), "2026-01-02 12:00 UTC");
    assert_eq!(time("Also"), Some((1_767_355_200 - 3 * 3600 - 17, 0)), "the same on the clocks of +03:00:17");
    assert_eq!(time("Not"), None, "the zero time is not sent");
}

#[test]
fn a_value_that_does_not_fit_its_schema_is_refused_and_nothing_is_sent() {
    let schema: Schema = StructDef::new("Inner").field("Name", Schema::String).into();
    let (mut ids, mut encoder, mut out) = (TypeIds::starting_at(64), Encoder::new(), vec![7]);
    let misspelt = Value::record("Inner", [("Nmae", text("x"))]);
    let error = encoder.encode(&mut ids, &schema, &misspelt, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::UnknownField { type_name: "Inner".into(), field: "Nmae".into() });
    let wrong = Value::record("Inner", [("Name", Value::Int(1))]);
    let error = encoder.encode(&mut ids, &schema, &wrong, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::Mismatch { at: "Inner.Name".into(), expected: "a string" });
    let unlisted = Value::interface("pkg.Other", Value::Int(1));
    let error = encoder.encode(&mut ids, &Schema::interface([]), &unlisted, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::UnlistedType { name: "pkg.Other".into() });
    assert_eq!(out, [7]);
    // The definition that came to nothing is sent with the next value.
    encoder.encode(&mut ids, &schema, &inner("x"), &mut out).unwrap();
    assert_eq!(decode_all(&out[1..]), [inner("x")]);
}
