-- A ledger of format 2, as written by phase_ledger::conformance::write_golden. Recipe: there, and in
-- tests/engines/ledger/mariadb.rs. MySQL 9.7.4.
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `phasegate_backfills` (
  `change` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `rows_done` bigint NOT NULL,
  `rows_total` bigint NOT NULL,
  `rows_per_second` bigint NOT NULL,
  `step` bigint NOT NULL,
  `held` longtext COLLATE utf8mb4_bin,
  PRIMARY KEY (`change`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

INSERT INTO `phasegate_backfills` VALUES ('split-full-name',63,100,7,3,'paused by hand: anna: month\'s end');
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `phasegate_changes` (
  `name` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `ordinal` bigint NOT NULL,
  `tables` longtext COLLATE utf8mb4_bin NOT NULL,
  `old_window` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `new_window` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `conversion` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `definition` longtext COLLATE utf8mb4_bin NOT NULL,
  `phase` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `moving_to` varchar(255) COLLATE utf8mb4_bin DEFAULT NULL,
  `acting` tinyint NOT NULL,
  `new_shape_live` tinyint NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

INSERT INTO `phasegate_changes` VALUES ('add-city',1,'v1 t:addresses','pending..contracted','expanded..contracted','none','definition of add-city','contracted',NULL,0,1);
INSERT INTO `phasegate_changes` VALUES ('later',3,'v1 t:customers','pending..migrated','migrated..contracted','rows','definition of later','pending','expanded',0,0);
INSERT INTO `phasegate_changes` VALUES ('split-full-name',2,'v1 t:Sales%20\"2024\",%20it\'s%20100%20%25 t:customers','pending..migrated','migrated..contracted','rows','definition of split-full-name','synced','migrated',1,0);
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `phasegate_done` (
  `change` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `step` bigint NOT NULL,
  PRIMARY KEY (`change`,`step`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

INSERT INTO `phasegate_done` VALUES ('split-full-name',0);
INSERT INTO `phasegate_done` VALUES ('split-full-name',2);
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `phasegate_history` (
  `line` bigint NOT NULL AUTO_INCREMENT,
  `at` datetime(6) NOT NULL,
  `generation` bigint NOT NULL,
  `change` varchar(255) COLLATE utf8mb4_bin DEFAULT NULL,
  `event` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `detail` longtext COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (`line`)
) ENGINE=InnoDB AUTO_INCREMENT=33 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

INSERT INTO `phasegate_history` VALUES (1,'2026-11-21 22:46:41.295728',1,NULL,'take-over','by golden-1 on server 6a752cbb-e5fd-11f1-b304-02fc00000001');
INSERT INTO `phasegate_history` VALUES (2,'2026-11-21 22:46:41.299881',2,NULL,'take-over','by golden-2 on server 6a752cbb-e5fd-11f1-b304-02fc00000001');
INSERT INTO `phasegate_history` VALUES (3,'2026-11-21 22:46:41.302650',2,NULL,'plan','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
INSERT INTO `phasegate_history` VALUES (4,'2026-11-21 22:46:41.304906',2,'add-city','register','definition of add-city');
INSERT INTO `phasegate_history` VALUES (5,'2026-11-21 22:46:41.306834',2,'split-full-name','register','definition of split-full-name');
INSERT INTO `phasegate_history` VALUES (6,'2026-11-21 22:46:41.308711',2,'later','register','definition of later');
INSERT INTO `phasegate_history` VALUES (7,'2026-11-21 22:46:41.311079',2,'add-city','intend','pending to expanded');
INSERT INTO `phasegate_history` VALUES (8,'2026-11-21 22:46:41.313411',2,'add-city','act','pending to expanded');
INSERT INTO `phasegate_history` VALUES (9,'2026-11-21 22:46:41.315736',2,'add-city','settle','expanded');
INSERT INTO `phasegate_history` VALUES (10,'2026-11-21 22:46:41.317750',2,'add-city','intend','expanded to synced');
INSERT INTO `phasegate_history` VALUES (11,'2026-11-21 22:46:41.319892',2,'add-city','act','expanded to synced');
INSERT INTO `phasegate_history` VALUES (12,'2026-11-21 22:46:41.322115',2,'add-city','settle','synced');
INSERT INTO `phasegate_history` VALUES (13,'2026-11-21 22:46:41.324325',2,'add-city','intend','synced to migrated');
INSERT INTO `phasegate_history` VALUES (14,'2026-11-21 22:46:41.326598',2,'add-city','act','synced to migrated');
INSERT INTO `phasegate_history` VALUES (15,'2026-11-21 22:46:41.328794',2,'add-city','settle','migrated');
INSERT INTO `phasegate_history` VALUES (16,'2026-11-21 22:46:41.331597',2,'add-city','intend','migrated to contracted');
INSERT INTO `phasegate_history` VALUES (17,'2026-11-21 22:46:41.333631',2,'add-city','act','migrated to contracted');
INSERT INTO `phasegate_history` VALUES (18,'2026-11-21 22:46:41.335617',2,'add-city','settle','contracted');
INSERT INTO `phasegate_history` VALUES (19,'2026-11-21 22:46:41.337466',2,'split-full-name','intend','pending to expanded');
INSERT INTO `phasegate_history` VALUES (20,'2026-11-21 22:46:41.339437',2,'split-full-name','act','pending to expanded');
INSERT INTO `phasegate_history` VALUES (21,'2026-11-21 22:46:41.341597',2,'split-full-name','settle','expanded');
INSERT INTO `phasegate_history` VALUES (22,'2026-11-21 22:46:41.343785',2,'split-full-name','intend','expanded to synced');
INSERT INTO `phasegate_history` VALUES (23,'2026-11-21 22:46:41.345968',2,'split-full-name','act','expanded to synced');
INSERT INTO `phasegate_history` VALUES (24,'2026-11-21 22:46:41.347774',2,'split-full-name','settle','synced');
INSERT INTO `phasegate_history` VALUES (25,'2026-11-21 22:46:41.349843',2,'add-city','new-shape-live','');
INSERT INTO `phasegate_history` VALUES (26,'2026-11-21 22:46:41.351890',2,'split-full-name','intend','synced to migrated');
INSERT INTO `phasegate_history` VALUES (27,'2026-11-21 22:46:41.353876',2,'split-full-name','act','synced to migrated');
INSERT INTO `phasegate_history` VALUES (28,'2026-11-21 22:46:41.356050',2,'split-full-name','done','0');
INSERT INTO `phasegate_history` VALUES (29,'2026-11-21 22:46:41.358483',2,'split-full-name','done','2');
INSERT INTO `phasegate_history` VALUES (30,'2026-11-21 22:46:41.366460',2,'split-full-name','backfill','100 rows in 2 ranges');
INSERT INTO `phasegate_history` VALUES (31,'2026-11-21 22:46:41.368968',2,'later','intend','pending to expanded');
INSERT INTO `phasegate_history` VALUES (32,'2026-11-21 22:46:41.370700',2,NULL,'pause','anna: month\'s end');
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `phasegate_ledger` (
  `one` smallint NOT NULL,
  `format` bigint NOT NULL,
  `generation` bigint NOT NULL,
  `server` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `plan` varchar(255) COLLATE utf8mb4_bin DEFAULT NULL,
  `runner` longtext COLLATE utf8mb4_bin NOT NULL,
  `taken_at` datetime(6) NOT NULL,
  `paused` longtext COLLATE utf8mb4_bin,
  PRIMARY KEY (`one`),
  CONSTRAINT `phasegate_ledger_chk_1` CHECK ((`one` = 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

INSERT INTO `phasegate_ledger` VALUES (1,2,2,'6a752cbb-e5fd-11f1-b304-02fc00000001','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef','golden-2','2026-11-21 22:46:41.298685','anna: month\'s end');
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `phasegate_ranges` (
  `change` varchar(255) COLLATE utf8mb4_bin NOT NULL,
  `part` bigint NOT NULL,
  `generation` bigint NOT NULL,
  `cursor` longtext COLLATE utf8mb4_bin NOT NULL,
  `finish` longtext COLLATE utf8mb4_bin NOT NULL,
  `rows_done` bigint NOT NULL,
  PRIMARY KEY (`change`,`part`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

INSERT INTO `phasegate_ranges` VALUES ('split-full-name',0,2,'v1 i:-5 t:it\'s%2050%20%25%0a r:0.1','v1 i:-5 t:it\'s%2050%20%25%0a r:0.1',50);
INSERT INTO `phasegate_ranges` VALUES ('split-full-name',1,2,'v1 i:-5 t:it\'s%2050%20%25%0a r:0.1','v1 i:9 n b:00ff',13);
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

