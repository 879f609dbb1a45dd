use super::*;

#[test]
fn a_tool_finds_the_address_in_its_environment() {
    let url: DatabaseUrl =
        "postgres://us%40er:s3cret%2Fof%40the%23tests@db.example:5433/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem"
            .parse()
            .unwrap();
    let environment: std::collections::BTreeMap<&str, String> = url.tool_environment().into_iter().collect();
    let want = [
        ("PGHOST", "db.example"),
        ("PGPORT", "5433"),
        ("PGUSER", "us@er"),
        ("PGDATABASE", "shop"),
        ("PGPASSWORD", "s3cret/of@the#tests"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/etc/ca.pem"),
    ];
    assert_eq!(environment, want.map(|(name, value)| (name, value.to_owned())).into());
    assert!("sqlite:///a.db".parse::<DatabaseUrl>().unwrap().tool_environment().is_empty());
}

#[test]
fn the_tools_of_mariadb_are_told_everything_but_the_password_by_their_arguments() {
    let of = |text: &str, engine| text.parse::<DatabaseUrl>().unwrap().expecting(engine).unwrap();
    let text =
        "mysql://us%40er:s3cret%2Fof%40the%23tests@db.example:3307/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ca.pem";
    let shared = ["--protocol=TCP", "--host=db.example", "--port=3307", "--user=us@er"];
    for (engine, tls) in [
        (LedgerEngine::Mariadb, &["--ssl", "--ssl-verify-server-cert", "--ssl-ca=/etc/ca.pem"][..]),
        (LedgerEngine::Mysql, &["--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=/etc/ca.pem"]),
    ] {
        let url = of(text, engine);
        assert_eq!(url.tool_arguments(), [&shared[..], tls, &["shop"]].concat());
        assert_eq!(url.tool_environment(), [("MYSQL_PWD", "s3cret/of@the#tests".to_owned())]);
    }
    let plain = of("mariadb://anna@db/shop?ssl-mode=disabled", LedgerEngine::Mariadb).tool_arguments();
    assert!(plain.contains(&"--skip-ssl".to_owned()), "{plain:?}");
    let signed = of("mariadb://anna@db/shop?ssl-mode=verify_ca", LedgerEngine::Mariadb).tool_arguments();
    assert!(signed.contains(&"--ssl-verify-server-cert".to_owned()), "{signed:?}");
    assert!("postgres://anna:b@db/shop".parse::<DatabaseUrl>().unwrap().tool_arguments().is_empty());
}

#[test]
fn an_address_is_shown_without_its_password() {
    let rows = [
        ("postgres://anna:s3cret@db.example:6432/shop?sslmode=require", "postgres://db.example:6432/shop"),
        ("postgresql://anna:s3cret@db.example/shop", "postgres://db.example:5432/shop"),
        ("postgres://anna:s3%2Fcret%40@db/shop?password=s3cret", "postgres://db:5432/shop"),
        ("postgres://anna:s3cret@db/shop?connect_timeout=3&channel_binding=require", "postgres://db:5432/shop"),
        ("mysql://anna:s3cret@db.example:3307/shop?ssl-mode=required", "mysql://db.example:3307/shop"),
        ("mariadb://anna:s3%2Fcret%40@db/shop?charset=latin1", "mariadb://db:3306/shop"),
        ("sqlite:///var/lib/shop.db", "sqlite:///var/lib/shop.db"),
        ("sqlite://shop%20one.db", "sqlite://shop one.db"),
    ];
    for (text, shown) in rows {
        let url: DatabaseUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), shown, "{text}");
        assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"), "{text}");
    }
}

#[test]
fn a_text_that_is_no_address_is_refused_and_not_repeated() {
    let rows = [
        ("s3cret", BadDatabaseUrl::Scheme),
        ("s3cret://host/db", BadDatabaseUrl::Scheme),
        ("postgres:s3cret", BadDatabaseUrl::Scheme),
        ("mysql:s3cret", BadDatabaseUrl::Scheme),
        ("mysql://u:s3cret@host", BadDatabaseUrl::NoDatabase),
        ("mariadb://u:s3cret@host/", BadDatabaseUrl::NoDatabase),
        ("mysql://u:12/s3cret@host/db", BadDatabaseUrl::Unreadable),
        ("mysql://u:12#s3cret@host/db", BadDatabaseUrl::Unreadable),
        ("mysql://u:s3cret@host:port/db", BadDatabaseUrl::Unreadable),
        ("mysql://u@host/db?password=s3cret", BadDatabaseUrl::Parameter { name: "password".to_owned() }),
        ("mysql://u@host/db?sslMode=s3cret", BadDatabaseUrl::Parameter { name: "sslMode".to_owned() }),
        ("mariadb://u@host/db?ssl-mode=s3cret", BadDatabaseUrl::Value { name: "ssl-mode".to_owned() }),
        // Characters that stand for something else in an address, unencoded in the password.
        ("postgres://u:12/s3cret@host/db", BadDatabaseUrl::Unreadable),
        ("postgres://u:12?s3cret@host/db", BadDatabaseUrl::Unreadable),
        ("postgres://u:12#s3cret@host/db", BadDatabaseUrl::Unreadable),
        ("postgres://u:12#s3cret", BadDatabaseUrl::Unreadable),
        ("postgres://u:12@s3cret@host/db", BadDatabaseUrl::Unreadable),
        ("postgres://u:s3cret/@host/db", BadDatabaseUrl::Unreadable),
        ("postgres://u:s3cret@host:port/db", BadDatabaseUrl::Unreadable),
        ("postgres://u:%ff@host/db", BadDatabaseUrl::Unreadable),
        ("postgres://u@host/db?sslmod=s3cret", BadDatabaseUrl::Parameter { name: "sslmod".to_owned() }),
        ("postgres://u@host/db?sslmode=s3cret", BadDatabaseUrl::Value { name: "sslmode".to_owned() }),
        ("postgres://u@host/db?port=s3cret", BadDatabaseUrl::Value { name: "port".to_owned() }),
        ("sqlite::memory:", BadDatabaseUrl::NoFile),
        ("sqlite://", BadDatabaseUrl::NoFile),
        ("sqlite:///dir/", BadDatabaseUrl::NoFile),
        ("sqlite:///a.db?mode=rwc", BadDatabaseUrl::Parameter { name: "mode".to_owned() }),
        ("sqlite:///%zz.db", BadDatabaseUrl::Unreadable),
    ];
    for (text, expected) in rows {
        let found = text.parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(found, expected, "{text}");
        assert!(!found.to_string().contains("s3cret"), "{text}");
    }
}

#[test]
fn every_engine_has_a_word_of_its_own() {
    assert_eq!(LedgerEngine::ALL.map(LedgerEngine::as_str), ["postgres", "mysql", "mariadb", "sqlite"]);
    assert_eq!("sqlite:///a".parse::<DatabaseUrl>().unwrap().engine(), LedgerEngine::Sqlite);
    assert_eq!("mysql://a/b".parse::<DatabaseUrl>().unwrap().engine(), LedgerEngine::Mysql);
    assert_eq!("mariadb://a/b".parse::<DatabaseUrl>().unwrap().engine(), LedgerEngine::Mariadb);
    assert_eq!("postgres://a".parse::<DatabaseUrl>().unwrap().engine(), LedgerEngine::Postgres);
}

#[test]
fn an_address_is_held_to_the_engine_that_was_declared() {
    let url = |text: &str| text.parse::<DatabaseUrl>().unwrap();
    for (text, engine, fits) in [
        ("mysql://a/b", LedgerEngine::Mysql, true),
        ("mysql://a/b", LedgerEngine::Mariadb, true),
        ("mariadb://a/b", LedgerEngine::Mariadb, true),
        ("mariadb://a/b", LedgerEngine::Mysql, false),
        ("postgres://a/b", LedgerEngine::Postgres, true),
        ("postgres://a/b", LedgerEngine::Mysql, false),
        ("sqlite:///a", LedgerEngine::Sqlite, true),
        ("sqlite:///a", LedgerEngine::Mariadb, false),
        ("mysql://a/b", LedgerEngine::Postgres, false),
    ] {
        assert_eq!(url(text).expecting(engine).is_some(), fits, "{text} {engine:?}");
    }
    assert_eq!(url("mysql://a/b").expecting(LedgerEngine::Mariadb).unwrap().engine(), LedgerEngine::Mariadb);
}
