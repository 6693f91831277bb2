//! Products: numbers that cannot hold are named, test times are marked, and the file is read strictly.

use std::fs;
use std::num::NonZeroU32;
use std::time::Duration;

use expect_test::{Expect, expect};
use kms_vendor::{Contract, Extras, NewProduct, Product, Vendor};
use shared::ids::ProductId;
use shared::policy::Policy;

use crate::{Counting, DAY, World};

/// A product with these numbers: what is said to it.
fn check(test: bool, change: impl FnOnce(&mut Policy), expected: Expect) {
    let mut policy = Policy::CLIENT;
    change(&mut policy);
    let answer = World::new().add("Example CAD", policy, test);
    expected.assert_eq(&match answer {
        Ok(Product { test, .. }) => format!("added, test: {test}"),
        Err(error) => error.to_string(),
    });
}

#[test]
fn a_contradiction_names_both_numbers() {
    let expected =
        || expect!["renew_interval is 7 d and may not be above a quarter of validity, which is 6 d 18 h"];
    check(false, |p| p.validity = 27 * DAY, expected());
    check(true, |p| p.validity = 27 * DAY, expected());
}

#[test]
fn an_upper_bound_holds_for_tests_too() {
    check(true, |p| p.validity = 401 * DAY, expect!["validity is 401 d, and may not be above 400 d"]);
}

#[test]
fn test_times_lift_the_lower_bounds_and_mark_the_product() {
    let short = |p: &mut Policy| p.clock_tolerance = Duration::from_secs(59);
    check(false, short, expect!["clock_tolerance is 59 s, and may not be below 1 min"]);
    check(true, short, expect!["added, test: true"]);
    check(false, |p| p.clock_tolerance = Duration::from_mins(1), expect!["added, test: false"]);
}

#[test]
fn products_are_found_again_as_they_were_added() {
    let mut world = World::new();
    let odd = Policy {
        validity: 100 * DAY + Duration::from_millis(1),
        clock_tolerance: Duration::from_millis(250),
        ..Policy::SERVER
    };
    let server = world.add("Server", odd, true).unwrap();
    let client = world.add("A \"quoted\" = name", Policy::CLIENT, false).unwrap();
    assert_ne!(server.id, client.id);
    assert_eq!(world.vendor.products().unwrap(), [client, server.clone()]);
    assert_eq!(world.vendor.product("Server").unwrap(), server);
    let error = world.vendor.product("Sever").unwrap_err().to_string();
    assert_eq!(error, r#"there is no product "Sever"; near it: "Server""#);
    let error = world.vendor.product("Laptop").unwrap_err().to_string();
    assert_eq!(error, r#"there is no product "Laptop"; there is "A \"quoted\" = name", "Server""#);
}

#[test]
fn seats_and_features_are_kept_and_features_that_are_none_are_told() {
    let mut world = World::new();
    let contract =
        Contract { seats: NonZeroU32::new(40), features: vec!["export".to_owned(), "3d".to_owned()] };
    let new = |name: &str, contract| NewProduct {
        name: name.to_owned(),
        id: None,
        policy: Policy::CLIENT,
        test: false,
        contract,
    };
    let product = world.vendor.add_product(new("Example CAD", contract), &mut world.rng).unwrap();
    assert_eq!(world.vendor.product("Example CAD").unwrap(), product);
    let capitals = Contract { features: vec!["Export".to_owned()], ..Contract::default() };
    let error = world.vendor.add_product(new("Other", capitals), &mut world.rng).unwrap_err().to_string();
    assert!(error.starts_with("a feature has 1 to 32 characters of a-z"), "{error}");

    let file = world.path("products.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"export\"", "\"to export\"")).unwrap();
    let error = world.vendor.products().unwrap_err().to_string();
    assert!(error.contains("products.toml is damaged: Example CAD: a feature has 1 to 32"), "{error}");
}

#[test]
fn a_name_or_an_id_is_given_once() {
    let mut world = World::with_product();
    let taken = r#"the product "Example CAD" already has this name or id"#;
    assert_eq!(world.add("Example CAD", Policy::SERVER, false).unwrap_err().to_string(), taken);
    let id = Some(world.vendor.product("Example CAD").unwrap().id);
    let other = NewProduct {
        name: "Other".to_owned(),
        id,
        policy: Policy::CLIENT,
        test: false,
        contract: Contract::default(),
    };
    assert_eq!(world.vendor.add_product(other, &mut world.rng).unwrap_err().to_string(), taken);
    for name in ["", " CAD", "a\nb", &"x".repeat(101)] {
        assert!(world.add(name, Policy::CLIENT, false).is_err(), "{name:?}");
    }
    assert_eq!(world.vendor.products().unwrap().len(), 1);
}

#[test]
fn processes_that_add_products_at_once_lose_none() {
    let world = World::new();
    let dir = world.vendor.dir();
    std::thread::scope(|scope| {
        for index in 0..8 {
            scope.spawn(move || {
                let (name, id) = (format!("Product {index}"), Some(ProductId::from_bytes([index; 16])));
                let new = NewProduct {
                    name,
                    id,
                    policy: Policy::CLIENT,
                    test: false,
                    contract: Contract::default(),
                };
                Vendor::open(dir).unwrap().add_product(new, &mut Counting(0)).unwrap();
            });
        }
    });
    assert_eq!(world.vendor.products().unwrap().len(), 8);
}

#[test]
fn the_file_of_a_product_with_test_times_says_how_soon_to_ask_again() {
    let mut world = World::new();
    let quick = Policy { retry_interval: Duration::from_millis(250), ..Policy::CLIENT };
    world.add("A \"quick\" one", quick, true).unwrap();
    let file = world.vendor.product_file("A \"quick\" one", &Extras::default()).unwrap();
    let file: toml::Table = file.parse().unwrap();
    assert_eq!(file["name"].as_str(), Some("A \"quick\" one"));
    assert_eq!(file["retry_interval"].as_str(), Some("250ms"));
    assert!(!file.contains_key("grace"), "{file}");
}

#[test]
fn an_edited_file_is_read_as_strictly_as_the_options() {
    for (from, to, complaint) in [
        ("test = false", "tset = false", "line 5: unknown field `tset`"),
        ("version = 1", "version = 2", "line 1: version 2 is not known to this release"),
        ("\"180d\"", "\"180 dogs\"", "line 7: unknown time unit \"dogs\""),
        ("\"180d\"", "\"27d\"", "Example CAD: renew_interval is 7 d and may not be above"),
        ("\"4h\"", "\"59s\"", "Example CAD: clock_tolerance is 59 s, and may not be below 1 min"),
    ] {
        let world = World::with_product();
        let path = world.path("products.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = world.vendor.products().unwrap_err().to_string();
        assert!(error.contains(&format!("products.toml is damaged: {complaint}")), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
