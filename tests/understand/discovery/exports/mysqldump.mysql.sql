-- 合成数据
-- MySQL dump 10.13
/*!40101 SET @saved_cs_client     = @@character_set_client */;
DROP TABLE IF EXISTS `mz_cf`;
CREATE TABLE `mz_cf` (
  `cfh` varchar(20) NOT NULL COMMENT '处方号',
  `ysdm` varchar(10) DEFAULT NULL COMMENT '医生''代码',
  `kfrq` datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`cfh`),
  KEY `fk` (`ysdm`),
  CONSTRAINT `fk` FOREIGN KEY (`ysdm`) REFERENCES `gy_ysb` (`ysdm`) ON DELETE CASCADE
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COMMENT='门诊处方';
/*!50001 DROP VIEW IF EXISTS `v_cf`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v_cf` AS select `mz_cf`.`cfh` AS `cfh` from `mz_cf` */;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `sp_tj`(IN p varchar(10))
BEGIN
  SELECT 1; SELECT count(*) FROM mz_cf WHERE ysdm = p;
END ;;
DELIMITER ;
