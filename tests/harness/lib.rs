//! What several tests and the demo share: stand-ins for what is not under test, and starters for what is real.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test should panic"
    )
)]

pub mod argo;
pub mod benchmark;
pub mod binaries;
pub mod examples;
mod guardian;
pub mod kube_api;
pub mod mariadb;
pub mod mysql;
pub mod postgres;
pub mod prometheus;

/// One test on MariaDB and one on MySQL, whose body has the test's name and takes which of the two it is: a
/// [`mariadb::Flavour`], or another type with these two names.
#[macro_export]
macro_rules! on_both {
    ($name:ident) => {
        $crate::on_both!($name, $crate::mariadb::Flavour);
    };
    ($name:ident, $kind:ty) => {
        mod $name {
            #[tokio::test]
            async fn on_mariadb() {
                super::$name(<$kind>::Mariadb).await;
            }

            #[tokio::test]
            async fn on_mysql() {
                super::$name(<$kind>::Mysql).await;
            }
        }
    };
}
