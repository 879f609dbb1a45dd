//! A real standby: the gate's own reader refuses it, and the replica's reader shows how far it is.

use std::time::Duration;

use phase_ledger::{ReadError, Reading, open_reader, open_replica, open_session};
use tests::{
    mariadb::{Flavour, Server},
    postgres::Cluster,
};

#[tokio::test]
async fn a_standby_shows_the_ledger_as_far_as_it_has_followed() {
    let primary = Cluster::start().unwrap();
    let database = primary.database().await.unwrap();
    let standby = primary.standby().unwrap();
    let replica = standby.existing(database.name());
    let url = replica.url().parse().unwrap();
    let reader = open_replica(&url).unwrap();
    assert!(matches!(open_reader(&url).unwrap().read().await, Err(ReadError::Standby)));
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);

    // It stops following: what the primary does from now on, it does not show.
    let wait = async |sql: &str| {
        for _ in 0..3_000 {
            if replica.rows(sql).await.unwrap() == [[Some("true".to_owned())]] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never came true: {sql}");
    };
    replica.execute("SELECT pg_wal_replay_pause()").await.unwrap();
    wait("SELECT (pg_get_wal_replay_pause_state() = 'paused')::text").await;
    let mut session = open_session(&database.url().parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.take_over("a test").await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
    replica.execute("SELECT pg_wal_replay_resume()").await.unwrap();
    wait("SELECT (to_regclass('phasegate.ledger') IS NOT NULL)::text").await;
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));

    // Another server's ledger is no copy of this one, whatever it says.
    database.execute("UPDATE phasegate.ledger SET server = 'another'").await.unwrap();
    wait("SELECT (server = 'another')::text FROM phasegate.ledger").await;
    assert!(matches!(reader.read().await, Err(ReadError::OtherServer { .. })));
}

tests::on_both!(a_replica_shows_the_ledger_as_far_as_it_has_followed_and_where_it_was_written);
/// A replica of MariaDB or MySQL is a server with a name of its own: that it is this database's, the ledger itself says.
async fn a_replica_shows_the_ledger_as_far_as_it_has_followed_and_where_it_was_written(flavour: Flavour) {
    let word = if flavour == Flavour::Mariadb { "SLAVE" } else { "REPLICA" };
    let primary = Server::start_as(flavour, &[]).unwrap();
    let database = primary.database().await.unwrap();
    let server = primary.replica().await.unwrap();
    let replica = server.existing(database.name());
    let everywhere = server.existing("mysql");
    let wait = async |sql: &str| {
        for _ in 0..3_000 {
            // Its users are made anew by what it follows, and for a moment have no rights.
            if everywhere.rows(sql).await.is_ok_and(|rows| rows == [[Some("1".to_owned())]]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never came true: {sql}; {:?}", everywhere.rows(&format!("SHOW {word} STATUS")).await);
    };
    wait(&format!("SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{}'", database.name())).await;
    let url = replica.url().parse().unwrap();
    let reader = open_replica(&url).unwrap();
    assert!(matches!(open_reader(&url).unwrap().read().await, Err(ReadError::Standby)));
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);

    everywhere.execute(&format!("STOP {word} SQL_THREAD")).await.unwrap();
    let mut session = open_session(&database.url().parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.take_over("a test").await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
    everywhere.execute(&format!("START {word} SQL_THREAD")).await.unwrap();
    let arrived = "SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}' AND table_name = '{}'";
    let arrived = arrived.replacen("{}", database.name(), 1).replacen("{}", "phasegate_backfills", 1);
    wait(&arrived).await;
    wait(&format!("SELECT count(*) FROM {}.phasegate_ledger", database.name())).await;
    let Reading::Ledger(shown) = reader.read().await.unwrap() else { panic!("it has arrived") };
    let Reading::Ledger(written) = session.read().await.unwrap() else { panic!("it is there") };
    assert_eq!((&shown.server, &shown.changes), (&written.server, &written.changes));

    // Another server's ledger says so of itself, though it is on the same replica.
    database.execute("UPDATE phasegate_ledger SET server = 'another'").await.unwrap();
    wait(&format!("SELECT count(*) FROM {}.phasegate_ledger WHERE server = 'another'", database.name())).await;
    let Reading::Ledger(shown) = reader.read().await.unwrap() else { panic!("it is read all the same") };
    assert_ne!(shown.server, written.server);
}
