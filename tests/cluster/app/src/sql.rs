//! What each version asks of the database.

use crate::Shape;

/// The statements of one version. A row is its key, its revision and its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statements {
    /// By key.
    pub(crate) read: &'static str,
    /// After a key, at most so many.
    pub(crate) page: &'static str,
    /// First name, last name, revision, key.
    pub(crate) update: &'static str,
    /// Likewise.
    pub(crate) insert: &'static str,
}

/// Those of that version on PostgreSQL.
pub(crate) const fn postgres(shape: Shape) -> Statements {
    match shape {
        Shape::CustomersV1 => Statements {
            read: "SELECT id, revision, full_name FROM customers WHERE id = $1",
            page: "SELECT id, revision, full_name FROM customers WHERE id > $1 ORDER BY id LIMIT $2",
            update: "UPDATE customers SET full_name = $1 || ' ' || $2, revision = $3 WHERE id = $4",
            insert: "INSERT INTO customers (full_name, revision, id) VALUES ($1 || ' ' || $2, $3, $4)",
        },
        Shape::CustomersV2 => Statements {
            read: "SELECT id, revision, first_name || ' ' || last_name FROM customers WHERE id = $1",
            page: "SELECT id, revision, first_name || ' ' || last_name FROM customers WHERE id > $1 ORDER BY id LIMIT $2",
            update: "UPDATE customers SET first_name = $1, last_name = $2, revision = $3 WHERE id = $4",
            insert: "INSERT INTO customers (first_name, last_name, revision, id) VALUES ($1, $2, $3, $4)",
        },
        Shape::WarehouseV1 => Statements {
            read: "SELECT i.id, i.revision, i.item FROM inventory i JOIN warehouses w ON w.id = i.warehouse \
                   JOIN manufacturers m ON m.id = i.manufacturer WHERE i.id = $1",
            page: "SELECT i.id, i.revision, i.item FROM inventory i JOIN warehouses w ON w.id = i.warehouse \
                   JOIN manufacturers m ON m.id = i.manufacturer WHERE i.id > $1 ORDER BY i.id LIMIT $2",
            update: "UPDATE inventory SET item = $1 || ' ' || $2, revision = $3 WHERE id = $4",
            insert: "INSERT INTO inventory (item, revision, id, warehouse, manufacturer) \
                     VALUES ($1 || ' ' || $2, $3, $4, $4 % 20 + 1, $4 % 5 + 1)",
        },
        // A warehouse has no place yet, or its own; with any other its items are gone, and their users notice.
        Shape::WarehouseV2 => Statements {
            read: "SELECT i.id, i.revision, i.item FROM inventory i JOIN warehouses w ON w.id = i.warehouse \
                   AND coalesce(w.city, 'C' || w.id) || coalesce(w.state, 'S' || w.id) = 'C' || w.id || 'S' || w.id \
                   JOIN manufacturers m ON m.id = i.manufacturer WHERE i.id = $1",
            page: "SELECT i.id, i.revision, i.item FROM inventory i JOIN warehouses w ON w.id = i.warehouse \
                   AND coalesce(w.city, 'C' || w.id) || coalesce(w.state, 'S' || w.id) = 'C' || w.id || 'S' || w.id \
                   JOIN manufacturers m ON m.id = i.manufacturer WHERE i.id > $1 ORDER BY i.id LIMIT $2",
            update: "WITH place AS (UPDATE warehouses w SET city = 'C' || w.id, state = 'S' || w.id \
                     FROM inventory i WHERE i.id = $4 AND w.id = i.warehouse) \
                     UPDATE inventory SET item = $1 || ' ' || $2, revision = $3 WHERE id = $4",
            insert: "INSERT INTO inventory (item, revision, id, warehouse, manufacturer) \
                     VALUES ($1 || ' ' || $2, $3, $4, $4 % 20 + 1, $4 % 5 + 1)",
        },
    }
}

/// Those of that version on MariaDB, for the example whose tables are there too.
pub(crate) const fn mariadb(shape: Shape) -> Option<Statements> {
    match shape {
        Shape::CustomersV1 => Some(Statements {
            read: "SELECT id, revision, full_name FROM customers WHERE id = ?",
            page: "SELECT id, revision, full_name FROM customers WHERE id > ? ORDER BY id LIMIT ?",
            update: "UPDATE customers SET full_name = CONCAT(?, ' ', ?), revision = ? WHERE id = ?",
            insert: "INSERT INTO customers (full_name, revision, id) VALUES (CONCAT(?, ' ', ?), ?, ?)",
        }),
        Shape::CustomersV2 => Some(Statements {
            read: "SELECT id, revision, CONCAT(first_name, ' ', last_name) FROM customers WHERE id = ?",
            page: "SELECT id, revision, CONCAT(first_name, ' ', last_name) FROM customers WHERE id > ? ORDER BY id LIMIT ?",
            update: "UPDATE customers SET first_name = ?, last_name = ?, revision = ? WHERE id = ?",
            insert: "INSERT INTO customers (first_name, last_name, revision, id) VALUES (?, ?, ?, ?)",
        }),
        Shape::WarehouseV1 | Shape::WarehouseV2 => None,
    }
}
