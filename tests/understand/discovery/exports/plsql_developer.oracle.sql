prompt 合成数据
prompt PL/SQL Developer Export User Objects for user HIS@ORCL
prompt Created by 合成 on 2026年1月1日
set define off
spool his.log

prompt
prompt Creating table MZ_CF
prompt ====================
prompt
create table HIS.MZ_CF
(
  cfh  VARCHAR2(20) not null,
  ysdm VARCHAR2(10),
  kfrq DATE default sysdate
)
tablespace HIS
  pctfree 10
  storage
  (
    initial 64K
    maxextents unlimited
  );
comment on table HIS.MZ_CF
  is '门诊处方';
comment on column HIS.MZ_CF.ysdm
  is '开方医生';
alter table HIS.MZ_CF
  add constraint PK_MZ_CF primary key (CFH)
  using index 
  tablespace HIS;
alter table HIS.MZ_CF
  add constraint FK_CF foreign key (YSDM)
  references HIS.GY_YGDM (YGDM);

prompt
prompt Creating view V_CF
prompt ==================
prompt
create or replace force view his.v_cf as
select cfh from mz_cf;

prompt
prompt Creating procedure SP_TJ
prompt ========================
prompt
create or replace procedure his.sp_tj(p_ys varchar2) is
begin
  delete from x;
  insert into x select count(*) from mz_cf where ysdm = p_ys;
end;
/

prompt Done
spool off
set define on
