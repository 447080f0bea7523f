-- 合成数据
USE [HIS]
GO
/****** Object:  Table [dbo].[SF_MZCFK]    Script Date: 2026/1/1 15:20:25 ******/
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[SF_MZCFK](
	[xh] [numeric](12, 0) IDENTITY(1,1) NOT NULL,
	[ysdm] [varchar](6) NULL,
	[lrrq] [datetime] NOT NULL CONSTRAINT [DF_lrrq]  DEFAULT (getdate()),
 CONSTRAINT [PK_SF_MZCFK] PRIMARY KEY CLUSTERED 
(
	[xh] ASC
)WITH (PAD_INDEX  = OFF, IGNORE_DUP_KEY = OFF) ON [PRIMARY]
) ON [PRIMARY]
GO
EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'开方医生' , @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',@level1name=N'SF_MZCFK', @level2type=N'COLUMN',@level2name=N'ysdm'
GO
EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'门诊处方库' , @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',@level1name=N'SF_MZCFK'
GO
/****** Object:  View [dbo].[VW]    Script Date: 2026/1/1 ******/
CREATE VIEW [dbo].[VW]
AS
SELECT xh FROM dbo.SF_MZCFK
GO
CREATE PROCEDURE [dbo].[usp_tj] @ys varchar(6)
AS
BEGIN
  SELECT count(*) FROM SF_MZCFK WHERE ysdm = @ys;
  SELECT 1;
END
GO
