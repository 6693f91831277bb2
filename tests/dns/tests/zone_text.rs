//! Zone files as an administrator writes them, and where an error says they are wrong.
//!
//! What a resolver gets from a zone that was read is tested in `serving.rs`.

use expect_test::{Expect, expect};
use kms_dns::Zone;

/// The first two lines of most zones.
const SOA: &str = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60";

/// Reads `text` as the zone corp.example and compares what the administrator is told.
fn check(text: &str, expected: Expect) {
    let told = match Zone::parse("corp.example", text) {
        Ok(_) => "a zone".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&told);
}

#[test]
fn directives_parentheses_comments_and_carriage_returns_are_read() {
    check(
        "$TTL 1h\r\n\
         @ IN SOA ns.corp.example. hostmaster.corp.example. ( 2026112201 ; serial\r\n\
         \t1d 2h 4w 60 )\r\n\
         \r\n\
         \tIN NS ns.corp.example.\r\n\
         $ORIGIN branch.corp.example.\r\n\
         _kms-activation._tcp 60 IN SRV 0 0 21688 kms1\r\n\
         kms1 IN AAAA ::1",
        expect!["a zone"],
    );
}

#[test]
fn a_number_that_is_none_is_named_with_its_line() {
    check(
        &format!("{SOA}\n_kms-activation._tcp SRV 0 0 the-port kms1\nkms1 A 127.0.0.1\n"),
        expect!["zone corp.example. line 3: error parsing number: invalid digit found in string"],
    );
}

#[test]
fn an_address_that_is_none_is_named_with_its_line() {
    check(
        &format!("{SOA}\n\n; hosts\nkms1 A 127.0.0.300\n"),
        expect!["zone corp.example. line 5: network address parse error: invalid IPv4 address syntax"],
    );
}

#[test]
fn an_entry_over_several_lines_is_named_by_its_first() {
    check(
        "$TTL 60\n\n@ SOA ns hostmaster (\n 1\n 3600 soon\n 86400 60 )\nkms1 A 127.0.0.1\n",
        expect!["zone corp.example. line 3: invalid time string: soon"],
    );
}

#[test]
fn an_entry_after_one_over_several_lines_is_named_by_its_own() {
    check(
        "$TTL 60\n@ SOA ns hostmaster (\n 1\n 3600 600\n 86400 60 )\nkms1 A localhost\n",
        expect!["zone corp.example. line 6: network address parse error: invalid IPv4 address syntax"],
    );
}

#[test]
fn a_parenthesis_that_is_never_closed_is_named_where_it_opens() {
    check(
        "$TTL 60\n@ SOA ns hostmaster ( 1 3600 600 86400 60\nkms1 A 127.0.0.1\n",
        expect!["zone corp.example. line 2: lexer error: unclosed list, missing ')'"],
    );
}

#[test]
fn a_record_without_any_ttl_is_named_with_its_line() {
    check(
        "; no $TTL\n@ SOA ns hostmaster 1 3600 600 86400 60\n",
        expect!["zone corp.example. line 2: record ttl not specified"],
    );
}

#[test]
fn an_unknown_record_type_is_named_with_its_line() {
    check(
        "$TTL 60\n@ SRVV 0 0 21688 kms1\n",
        expect!["zone corp.example. line 2: proto error: decoding error: record type string unknown: SRVV"],
    );
}

#[test]
fn a_name_of_another_zone_is_named_with_its_line() {
    check(
        &format!("{SOA}\nkms1.branch.example. A 127.0.0.1\n"),
        expect![
            "zone corp.example. line 3: the A record of kms1.branch.example. is not of this zone; a name with a dot at its end is complete"
        ],
    );
}

#[test]
fn another_class_is_named_with_its_line() {
    check(
        &format!("{SOA}\nkms1 CH A 127.0.0.1\n"),
        expect!["zone corp.example. line 3: class CH is not served; only IN is"],
    );
}

#[test]
fn a_zone_needs_an_soa() {
    check(
        "$TTL 60\nkms1 A 127.0.0.1\n",
        expect!["zone corp.example. as a whole: SOA record must be present: corp.example."],
    );
}

#[test]
fn a_cname_stands_alone() {
    check(
        &format!("{SOA}\nkms1 CNAME kms2\nkms1 A 127.0.0.1\n"),
        expect![
            "zone corp.example. as a whole: Failed to insert kms1.corp.example. CNAME to zone: corp.example."
        ],
    );
}

#[test]
fn an_origin_must_be_a_name() {
    let error = Zone::parse("corp..example", "").unwrap_err();
    expect![[r#"the zone's origin "corp..example" is not a domain name"#]].assert_eq(&error.to_string());
}
