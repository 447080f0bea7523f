-- 合成医院的库结构。全部数据由程序虚构（合成数据），与任何真实医院、人员、药品无关。
-- 约定：his 为业务库，rpt 为报表库（以视图充当同义词）；拼音缩写与英文混用，如真实系统。

CREATE SCHEMA his;
COMMENT ON SCHEMA his IS '业务库（合成数据）';
CREATE SCHEMA rpt;
COMMENT ON SCHEMA rpt IS '报表库（合成数据）';
CREATE SEQUENCE his.seq_lsh START 500000001;

CREATE TABLE his.gy_ksdm (
    ksdm varchar(8) NOT NULL,
    ksmc varchar(40) NOT NULL,
    kslb varchar(8) NOT NULL,
    wz varchar(40)
);
COMMENT ON TABLE his.gy_ksdm IS '科室字典';
COMMENT ON COLUMN his.gy_ksdm.ksdm IS '科室代码';
COMMENT ON COLUMN his.gy_ksdm.ksmc IS '科室名称';
COMMENT ON COLUMN his.gy_ksdm.kslb IS '科室类别：临床、医技、药学、职能';
COMMENT ON COLUMN his.gy_ksdm.wz IS '位置';

CREATE TABLE his.gy_ygdm (
    ygdm varchar(8) NOT NULL,
    ygxm varchar(20) NOT NULL,
    ksdm varchar(8) NOT NULL,
    zw varchar(20) NOT NULL,
    zc varchar(20),
    cfq smallint NOT NULL,
    kssq smallint NOT NULL,
    zt smallint NOT NULL
);
COMMENT ON TABLE his.gy_ygdm IS '员工字典';
COMMENT ON COLUMN his.gy_ygdm.ygdm IS '员工工号';
COMMENT ON COLUMN his.gy_ygdm.ygxm IS '姓名';
COMMENT ON COLUMN his.gy_ygdm.ksdm IS '所属科室';
COMMENT ON COLUMN his.gy_ygdm.zw IS '岗位';
COMMENT ON COLUMN his.gy_ygdm.zc IS '职称';
COMMENT ON COLUMN his.gy_ygdm.cfq IS '处方权：1 有';
COMMENT ON COLUMN his.gy_ygdm.kssq IS '抗菌药物处方权级别';
COMMENT ON COLUMN his.gy_ygdm.zt IS '状态：1 在岗';

CREATE TABLE his.bq_zd (
    bqdm varchar(8) NOT NULL,
    bqmc varchar(40) NOT NULL,
    ksdm varchar(8) NOT NULL
);
COMMENT ON TABLE his.bq_zd IS '病区字典';
COMMENT ON COLUMN his.bq_zd.bqdm IS '病区代码';
COMMENT ON COLUMN his.bq_zd.bqmc IS '病区名称';
COMMENT ON COLUMN his.bq_zd.ksdm IS '科室代码';

CREATE TABLE his.zs_zd (
    zsh varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    wz varchar(40)
);
COMMENT ON TABLE his.zs_zd IS '诊室字典';
COMMENT ON COLUMN his.zs_zd.zsh IS '诊室号';
COMMENT ON COLUMN his.zs_zd.ksdm IS '科室代码';
COMMENT ON COLUMN his.zs_zd.wz IS '楼层位置';

CREATE TABLE his.yf_zd (
    yfdm varchar(4) NOT NULL,
    yfmc varchar(40) NOT NULL
);
COMMENT ON TABLE his.yf_zd IS '药房药库字典';
COMMENT ON COLUMN his.yf_zd.yfdm IS '药房代码';
COMMENT ON COLUMN his.yf_zd.yfmc IS '药房名称';

CREATE TABLE his.icd_zd (
    icd varchar(10) NOT NULL,
    zdmc varchar(60) NOT NULL
);
COMMENT ON TABLE his.icd_zd IS '疾病诊断字典';
COMMENT ON COLUMN his.icd_zd.icd IS '诊断编码';
COMMENT ON COLUMN his.icd_zd.zdmc IS '诊断名称';

CREATE TABLE his.yk_ypzd (
    ypdm varchar(10) NOT NULL,
    ypmc varchar(60) NOT NULL,
    spm varchar(60),
    gg varchar(40),
    dw varchar(8) NOT NULL,
    cjmc varchar(60),
    yplb varchar(10) NOT NULL,
    ylfl varchar(20) NOT NULL,
    kss_jb smallint NOT NULL,
    mj_bz smallint NOT NULL,
    jbyw smallint NOT NULL,
    ddd numeric(10,3),
    lsj numeric(12,2) NOT NULL,
    zt smallint NOT NULL
);
COMMENT ON TABLE his.yk_ypzd IS '药品字典';
COMMENT ON COLUMN his.yk_ypzd.ypdm IS '药品代码';
COMMENT ON COLUMN his.yk_ypzd.ypmc IS '通用名';
COMMENT ON COLUMN his.yk_ypzd.spm IS '商品名';
COMMENT ON COLUMN his.yk_ypzd.gg IS '规格';
COMMENT ON COLUMN his.yk_ypzd.dw IS '单位';
COMMENT ON COLUMN his.yk_ypzd.cjmc IS '生产厂家';
COMMENT ON COLUMN his.yk_ypzd.yplb IS '药品类别：西药、中成药、草药';
COMMENT ON COLUMN his.yk_ypzd.ylfl IS '药理分类';
COMMENT ON COLUMN his.yk_ypzd.kss_jb IS '抗菌药物级别：0 非抗菌 1 非限制 2 限制 3 特殊';
COMMENT ON COLUMN his.yk_ypzd.mj_bz IS '麻精标志';
COMMENT ON COLUMN his.yk_ypzd.jbyw IS '基本药物标志';
COMMENT ON COLUMN his.yk_ypzd.ddd IS '限定日剂量';
COMMENT ON COLUMN his.yk_ypzd.lsj IS '零售价';
COMMENT ON COLUMN his.yk_ypzd.zt IS '状态：1 在用';

CREATE TABLE his.hc_zd (
    hcdm varchar(10) NOT NULL,
    hcmc varchar(60) NOT NULL,
    gg varchar(40),
    cjmc varchar(60),
    gz_flag smallint NOT NULL,
    dj numeric(12,2) NOT NULL
);
COMMENT ON TABLE his.hc_zd IS '医用耗材字典';
COMMENT ON COLUMN his.hc_zd.hcdm IS '耗材代码';
COMMENT ON COLUMN his.hc_zd.hcmc IS '耗材名称';
COMMENT ON COLUMN his.hc_zd.gg IS '规格型号';
COMMENT ON COLUMN his.hc_zd.cjmc IS '生产厂家';
COMMENT ON COLUMN his.hc_zd.gz_flag IS '高值耗材标志';
COMMENT ON COLUMN his.hc_zd.dj IS '单价';

CREATE TABLE his.gy_sfxm (
    xmdm varchar(10) NOT NULL,
    xmmc varchar(60) NOT NULL,
    fykm varchar(4) NOT NULL,
    dj numeric(12,2) NOT NULL
);
COMMENT ON TABLE his.gy_sfxm IS '诊疗收费项目字典';
COMMENT ON COLUMN his.gy_sfxm.xmdm IS '项目代码';
COMMENT ON COLUMN his.gy_sfxm.xmmc IS '项目名称';
COMMENT ON COLUMN his.gy_sfxm.fykm IS '费用科目：JC 检查 HY 检验 ZL 治疗 HL 护理 CW 床位';
COMMENT ON COLUMN his.gy_sfxm.dj IS '单价';

CREATE TABLE his.sys_user (
    ygdm varchar(8) NOT NULL,
    dlm varchar(20) NOT NULL,
    mm varchar(64) NOT NULL,
    jsdm varchar(20) NOT NULL
);
COMMENT ON TABLE his.sys_user IS '系统用户';
COMMENT ON COLUMN his.sys_user.ygdm IS '员工工号';
COMMENT ON COLUMN his.sys_user.dlm IS '登录名';
COMMENT ON COLUMN his.sys_user.mm IS '口令摘要';
COMMENT ON COLUMN his.sys_user.jsdm IS '角色';

CREATE TABLE his.sys_login_log (
    id bigint NOT NULL DEFAULT nextval('his.seq_lsh'),
    ygdm varchar(8) NOT NULL,
    dl_time timestamp(0) NOT NULL DEFAULT localtimestamp,
    program varchar(40) NOT NULL,
    zdmc varchar(40),
    czlx varchar(2) NOT NULL
);
COMMENT ON TABLE his.sys_login_log IS '登录日志';
COMMENT ON COLUMN his.sys_login_log.id IS '流水号';
COMMENT ON COLUMN his.sys_login_log.ygdm IS '登录工号';
COMMENT ON COLUMN his.sys_login_log.dl_time IS '登录时间';
COMMENT ON COLUMN his.sys_login_log.program IS '程序';
COMMENT ON COLUMN his.sys_login_log.zdmc IS '工作站';
COMMENT ON COLUMN his.sys_login_log.czlx IS '操作类型：I 登录 O 退出';

CREATE TABLE his.pb_bc (
    pbid bigint NOT NULL,
    ygdm varchar(8) NOT NULL,
    rq date NOT NULL,
    bc varchar(4) NOT NULL,
    ksdm varchar(8) NOT NULL,
    zsh varchar(8)
);
COMMENT ON TABLE his.pb_bc IS '排班表';
COMMENT ON COLUMN his.pb_bc.pbid IS '排班号';
COMMENT ON COLUMN his.pb_bc.ygdm IS '员工工号';
COMMENT ON COLUMN his.pb_bc.rq IS '日期';
COMMENT ON COLUMN his.pb_bc.bc IS '班次';
COMMENT ON COLUMN his.pb_bc.ksdm IS '科室';
COMMENT ON COLUMN his.pb_bc.zsh IS '诊室';

CREATE TABLE his.sys_param (
    pname varchar(40) NOT NULL,
    pval varchar(200) NOT NULL,
    memo varchar(100)
);
COMMENT ON TABLE his.sys_param IS '系统参数';
COMMENT ON COLUMN his.sys_param.pname IS '参数名';
COMMENT ON COLUMN his.sys_param.pval IS '参数值';
COMMENT ON COLUMN his.sys_param.memo IS '说明';

CREATE TABLE his.sys_msg (
    xxid bigint NOT NULL,
    jsr varchar(8),
    nr varchar(2000) NOT NULL,
    fs_time timestamp(0) NOT NULL
);
COMMENT ON TABLE his.sys_msg IS '站内消息';
COMMENT ON COLUMN his.sys_msg.xxid IS '消息号';
COMMENT ON COLUMN his.sys_msg.jsr IS '接收人';
COMMENT ON COLUMN his.sys_msg.nr IS '内容';
COMMENT ON COLUMN his.sys_msg.fs_time IS '发送时间';

CREATE TABLE his.br_jbxx (
    brid varchar(10) NOT NULL,
    xm varchar(20) NOT NULL,
    xb varchar(2) NOT NULL,
    csrq date NOT NULL,
    sfzh varchar(18),
    lxdh varchar(16),
    ybkh varchar(16),
    jd_time timestamp(0) NOT NULL
);
COMMENT ON TABLE his.br_jbxx IS '病人基本信息';
COMMENT ON COLUMN his.br_jbxx.brid IS '病人号';
COMMENT ON COLUMN his.br_jbxx.xm IS '姓名';
COMMENT ON COLUMN his.br_jbxx.xb IS '性别';
COMMENT ON COLUMN his.br_jbxx.csrq IS '出生日期';
COMMENT ON COLUMN his.br_jbxx.sfzh IS '身份证号（虚构，校验位无效）';
COMMENT ON COLUMN his.br_jbxx.lxdh IS '联系电话（虚构）';
COMMENT ON COLUMN his.br_jbxx.ybkh IS '医保卡号';
COMMENT ON COLUMN his.br_jbxx.jd_time IS '建档时间';

CREATE TABLE his.gh_mx (
    ghxh bigint NOT NULL,
    brid varchar(10) NOT NULL,
    ksdm varchar(8) NOT NULL,
    ysdm varchar(8) NOT NULL,
    zsh varchar(8),
    gh_time timestamp(0) NOT NULL,
    ghf numeric(8,2) NOT NULL,
    zt smallint NOT NULL
);
COMMENT ON TABLE his.gh_mx IS '挂号明细';
COMMENT ON COLUMN his.gh_mx.ghxh IS '挂号序号';
COMMENT ON COLUMN his.gh_mx.brid IS '病人号';
COMMENT ON COLUMN his.gh_mx.ksdm IS '挂号科室';
COMMENT ON COLUMN his.gh_mx.ysdm IS '挂号医生';
COMMENT ON COLUMN his.gh_mx.zsh IS '诊室';
COMMENT ON COLUMN his.gh_mx.gh_time IS '挂号时间';
COMMENT ON COLUMN his.gh_mx.ghf IS '挂号费';
COMMENT ON COLUMN his.gh_mx.zt IS '状态：0 候诊 1 已诊 9 退号';

CREATE TABLE his.mz_jz (
    jzid bigint NOT NULL,
    brid varchar(10) NOT NULL,
    ysdm varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    jz_time timestamp(0) NOT NULL,
    icd varchar(10) NOT NULL
);
COMMENT ON TABLE his.mz_jz IS '门诊就诊记录';
COMMENT ON COLUMN his.mz_jz.jzid IS '就诊号';
COMMENT ON COLUMN his.mz_jz.brid IS '病人号';
COMMENT ON COLUMN his.mz_jz.ysdm IS '接诊医生';
COMMENT ON COLUMN his.mz_jz.ksdm IS '科室';
COMMENT ON COLUMN his.mz_jz.jz_time IS '接诊时间';
COMMENT ON COLUMN his.mz_jz.icd IS '主要诊断';

CREATE TABLE his.mz_cf (
    cfh bigint NOT NULL,
    jzid bigint NOT NULL,
    brid varchar(10) NOT NULL,
    ysdm varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    zsh varchar(8),
    kf_time timestamp(0) NOT NULL,
    cf_lx varchar(4) NOT NULL,
    fy_zt smallint NOT NULL,
    yfdm varchar(4) NOT NULL,
    ckh varchar(4) NOT NULL,
    je numeric(12,2) NOT NULL
);
COMMENT ON TABLE his.mz_cf IS '门诊处方主表（当前）';
COMMENT ON COLUMN his.mz_cf.cfh IS '处方号';
COMMENT ON COLUMN his.mz_cf.jzid IS '就诊号';
COMMENT ON COLUMN his.mz_cf.brid IS '病人号';
COMMENT ON COLUMN his.mz_cf.ysdm IS '开方医生';
COMMENT ON COLUMN his.mz_cf.ksdm IS '开方科室';
COMMENT ON COLUMN his.mz_cf.zsh IS '诊室号';
COMMENT ON COLUMN his.mz_cf.kf_time IS '开方时间';
COMMENT ON COLUMN his.mz_cf.cf_lx IS '处方类型：西、中成、草';
COMMENT ON COLUMN his.mz_cf.fy_zt IS '发药状态：0 待发 1 已发 9 作废';
COMMENT ON COLUMN his.mz_cf.yfdm IS '发药药房';
COMMENT ON COLUMN his.mz_cf.ckh IS '发药窗口';
COMMENT ON COLUMN his.mz_cf.je IS '处方金额';

CREATE TABLE his.mz_cfmx (
    mxid bigint NOT NULL,
    cfh bigint NOT NULL,
    ypdm varchar(10) NOT NULL,
    sl numeric(10,2) NOT NULL,
    dj numeric(12,2) NOT NULL,
    je numeric(12,2) NOT NULL,
    yf varchar(20),
    pc varchar(8)
);
COMMENT ON TABLE his.mz_cfmx IS '门诊处方明细（当前）';
COMMENT ON COLUMN his.mz_cfmx.mxid IS '明细号';
COMMENT ON COLUMN his.mz_cfmx.cfh IS '处方号';
COMMENT ON COLUMN his.mz_cfmx.ypdm IS '药品代码';
COMMENT ON COLUMN his.mz_cfmx.sl IS '数量';
COMMENT ON COLUMN his.mz_cfmx.dj IS '单价';
COMMENT ON COLUMN his.mz_cfmx.je IS '金额';
COMMENT ON COLUMN his.mz_cfmx.yf IS '用法';
COMMENT ON COLUMN his.mz_cfmx.pc IS '频次';

CREATE TABLE his.mz_cf_his (
    cfh bigint NOT NULL,
    jzid bigint NOT NULL,
    brid varchar(10) NOT NULL,
    ysdm varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    zsh varchar(8),
    kf_time timestamp(0) NOT NULL,
    cf_lx varchar(4) NOT NULL,
    fy_zt smallint NOT NULL,
    yfdm varchar(4) NOT NULL,
    ckh varchar(4) NOT NULL,
    je numeric(12,2) NOT NULL
);
COMMENT ON TABLE his.mz_cf_his IS '门诊处方主表（历史）';
COMMENT ON COLUMN his.mz_cf_his.cfh IS '处方号';
COMMENT ON COLUMN his.mz_cf_his.jzid IS '就诊号';
COMMENT ON COLUMN his.mz_cf_his.brid IS '病人号';
COMMENT ON COLUMN his.mz_cf_his.ysdm IS '开方医生';
COMMENT ON COLUMN his.mz_cf_his.ksdm IS '开方科室';
COMMENT ON COLUMN his.mz_cf_his.zsh IS '诊室号';
COMMENT ON COLUMN his.mz_cf_his.kf_time IS '开方时间';
COMMENT ON COLUMN his.mz_cf_his.cf_lx IS '处方类型：西、中成、草';
COMMENT ON COLUMN his.mz_cf_his.fy_zt IS '发药状态：0 待发 1 已发 9 作废';
COMMENT ON COLUMN his.mz_cf_his.yfdm IS '发药药房';
COMMENT ON COLUMN his.mz_cf_his.ckh IS '发药窗口';
COMMENT ON COLUMN his.mz_cf_his.je IS '处方金额';

CREATE TABLE his.mz_cfmx_his (
    mxid bigint NOT NULL,
    cfh bigint NOT NULL,
    ypdm varchar(10) NOT NULL,
    sl numeric(10,2) NOT NULL,
    dj numeric(12,2) NOT NULL,
    je numeric(12,2) NOT NULL,
    yf varchar(20),
    pc varchar(8)
);
COMMENT ON TABLE his.mz_cfmx_his IS '门诊处方明细（历史）';
COMMENT ON COLUMN his.mz_cfmx_his.mxid IS '明细号';
COMMENT ON COLUMN his.mz_cfmx_his.cfh IS '处方号';
COMMENT ON COLUMN his.mz_cfmx_his.ypdm IS '药品代码';
COMMENT ON COLUMN his.mz_cfmx_his.sl IS '数量';
COMMENT ON COLUMN his.mz_cfmx_his.dj IS '单价';
COMMENT ON COLUMN his.mz_cfmx_his.je IS '金额';
COMMENT ON COLUMN his.mz_cfmx_his.yf IS '用法';
COMMENT ON COLUMN his.mz_cfmx_his.pc IS '频次';

CREATE TABLE his.yf_fyrec (
    fyid bigint NOT NULL,
    yfdm varchar(4) NOT NULL,
    ckh varchar(4),
    cfh bigint NOT NULL,
    pid varchar(10) NOT NULL,
    item_code varchar(10) NOT NULL,
    fy_sl numeric(10,2) NOT NULL,
    fy_je numeric(12,2) NOT NULL,
    pres_dr varchar(8) NOT NULL,
    dept_code varchar(8) NOT NULL,
    fy_time timestamp(0) NOT NULL,
    fyr varchar(8)
);
COMMENT ON TABLE his.yf_fyrec IS '药房发药记录';
COMMENT ON COLUMN his.yf_fyrec.fyid IS '发药流水';
COMMENT ON COLUMN his.yf_fyrec.yfdm IS '药房';
COMMENT ON COLUMN his.yf_fyrec.ckh IS '窗口';
COMMENT ON COLUMN his.yf_fyrec.cfh IS '处方号';
COMMENT ON COLUMN his.yf_fyrec.pid IS '病人号';
COMMENT ON COLUMN his.yf_fyrec.item_code IS '药品代码';
COMMENT ON COLUMN his.yf_fyrec.fy_sl IS '发药数量';
COMMENT ON COLUMN his.yf_fyrec.fy_je IS '金额';
COMMENT ON COLUMN his.yf_fyrec.pres_dr IS '开方医生';
COMMENT ON COLUMN his.yf_fyrec.dept_code IS '开方科室';
COMMENT ON COLUMN his.yf_fyrec.fy_time IS '发药时间';
COMMENT ON COLUMN his.yf_fyrec.fyr IS '发药人';

CREATE TABLE his.outp_bill (
    bill_no bigint NOT NULL,
    pid varchar(10) NOT NULL,
    visit_no bigint NOT NULL,
    rx_no bigint,
    fee_kind varchar(4) NOT NULL,
    fee_code varchar(10) NOT NULL,
    qty numeric(10,2) NOT NULL,
    amount numeric(12,2) NOT NULL,
    order_dr varchar(8) NOT NULL,
    order_dept varchar(8) NOT NULL,
    charge_time timestamp(0) NOT NULL,
    casher varchar(8)
);
COMMENT ON TABLE his.outp_bill IS '门诊收费明细（药品与非药品）';
COMMENT ON COLUMN his.outp_bill.bill_no IS '收费流水';
COMMENT ON COLUMN his.outp_bill.pid IS '病人号';
COMMENT ON COLUMN his.outp_bill.visit_no IS '就诊号';
COMMENT ON COLUMN his.outp_bill.rx_no IS '处方号';
COMMENT ON COLUMN his.outp_bill.fee_kind IS '费用类别：YP 药品 HC 耗材 JC 检查 HY 检验 ZL 治疗';
COMMENT ON COLUMN his.outp_bill.fee_code IS '收费代码';
COMMENT ON COLUMN his.outp_bill.qty IS '数量';
COMMENT ON COLUMN his.outp_bill.amount IS '金额';
COMMENT ON COLUMN his.outp_bill.order_dr IS '开单医生';
COMMENT ON COLUMN his.outp_bill.order_dept IS '开单科室';
COMMENT ON COLUMN his.outp_bill.charge_time IS '收费时间';
COMMENT ON COLUMN his.outp_bill.casher IS '收费员';

CREATE TABLE his.yb_jsd (
    setl_id bigint NOT NULL,
    mdtrt_id bigint NOT NULL,
    psn_no varchar(10) NOT NULL,
    medfee_sumamt numeric(12,2) NOT NULL,
    fund_pay numeric(12,2) NOT NULL,
    setl_time timestamp(0) NOT NULL
);
COMMENT ON TABLE his.yb_jsd IS '医保结算单';
COMMENT ON COLUMN his.yb_jsd.setl_id IS '结算号';
COMMENT ON COLUMN his.yb_jsd.mdtrt_id IS '就诊号';
COMMENT ON COLUMN his.yb_jsd.psn_no IS '病人号';
COMMENT ON COLUMN his.yb_jsd.medfee_sumamt IS '医疗费总额';
COMMENT ON COLUMN his.yb_jsd.fund_pay IS '统筹支付';
COMMENT ON COLUMN his.yb_jsd.setl_time IS '结算时间';

CREATE TABLE his.yb_scmx (
    scid bigint NOT NULL,
    mdtrt_id bigint NOT NULL,
    psn_no varchar(10) NOT NULL,
    hilist_code varchar(10) NOT NULL,
    cnt numeric(10,2) NOT NULL,
    det_item_fee numeric(12,2) NOT NULL,
    bilg_dr_code varchar(8) NOT NULL,
    bilg_dept_code varchar(8) NOT NULL,
    fee_ocur_time timestamp(0) NOT NULL,
    sc_zt smallint NOT NULL
);
COMMENT ON TABLE his.yb_scmx IS '医保上传明细';
COMMENT ON COLUMN his.yb_scmx.scid IS '上传流水';
COMMENT ON COLUMN his.yb_scmx.mdtrt_id IS '就诊号';
COMMENT ON COLUMN his.yb_scmx.psn_no IS '病人号';
COMMENT ON COLUMN his.yb_scmx.hilist_code IS '医保目录编码';
COMMENT ON COLUMN his.yb_scmx.cnt IS '数量';
COMMENT ON COLUMN his.yb_scmx.det_item_fee IS '明细金额';
COMMENT ON COLUMN his.yb_scmx.bilg_dr_code IS '开单医师';
COMMENT ON COLUMN his.yb_scmx.bilg_dept_code IS '开单科室';
COMMENT ON COLUMN his.yb_scmx.fee_ocur_time IS '费用发生时间';
COMMENT ON COLUMN his.yb_scmx.sc_zt IS '上传状态：0 待传 1 已传';

CREATE TABLE his.zy_brjbxx (
    zyh bigint NOT NULL,
    brid varchar(10) NOT NULL,
    bqdm varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    cwh varchar(6) NOT NULL,
    zzys varchar(8) NOT NULL,
    ry_time timestamp(0) NOT NULL,
    cy_time timestamp(0),
    zt smallint NOT NULL
);
COMMENT ON TABLE his.zy_brjbxx IS '住院病人登记';
COMMENT ON COLUMN his.zy_brjbxx.zyh IS '住院号';
COMMENT ON COLUMN his.zy_brjbxx.brid IS '病人号';
COMMENT ON COLUMN his.zy_brjbxx.bqdm IS '病区';
COMMENT ON COLUMN his.zy_brjbxx.ksdm IS '科室';
COMMENT ON COLUMN his.zy_brjbxx.cwh IS '床位';
COMMENT ON COLUMN his.zy_brjbxx.zzys IS '主治医生';
COMMENT ON COLUMN his.zy_brjbxx.ry_time IS '入院时间';
COMMENT ON COLUMN his.zy_brjbxx.cy_time IS '出院时间';
COMMENT ON COLUMN his.zy_brjbxx.zt IS '状态：1 在院 2 出院';

CREATE TABLE his.zy_yz (
    yzh bigint NOT NULL,
    zyh bigint NOT NULL,
    cat1_type varchar(4) NOT NULL,
    order_code varchar(10) NOT NULL,
    kzys varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    bqdm varchar(8) NOT NULL,
    dosage_qty numeric(10,2) NOT NULL,
    dj numeric(12,2) NOT NULL,
    start_time timestamp(0) NOT NULL,
    ts smallint NOT NULL,
    yz_zt smallint NOT NULL
);
COMMENT ON TABLE his.zy_yz IS '住院医嘱（药品与非药品）';
COMMENT ON COLUMN his.zy_yz.yzh IS '医嘱号';
COMMENT ON COLUMN his.zy_yz.zyh IS '住院号';
COMMENT ON COLUMN his.zy_yz.cat1_type IS '医嘱类别：PHA 药品 MAT 耗材 LAB 检验 NUR 护理';
COMMENT ON COLUMN his.zy_yz.order_code IS '医嘱项目代码';
COMMENT ON COLUMN his.zy_yz.kzys IS '开嘱医生';
COMMENT ON COLUMN his.zy_yz.ksdm IS '开嘱科室';
COMMENT ON COLUMN his.zy_yz.bqdm IS '病区';
COMMENT ON COLUMN his.zy_yz.dosage_qty IS '每日数量';
COMMENT ON COLUMN his.zy_yz.dj IS '单价';
COMMENT ON COLUMN his.zy_yz.start_time IS '开始时间';
COMMENT ON COLUMN his.zy_yz.ts IS '天数';
COMMENT ON COLUMN his.zy_yz.yz_zt IS '状态：0 新开 1 执行中 2 停止';

CREATE TABLE his.zy_yzzx (
    zxid bigint NOT NULL,
    yzh bigint NOT NULL,
    zyh bigint NOT NULL,
    bqdm varchar(8) NOT NULL,
    cat1_type varchar(4) NOT NULL,
    order_code varchar(10) NOT NULL,
    sl numeric(10,2) NOT NULL,
    zx_time timestamp(0) NOT NULL,
    zxhs varchar(8),
    zx_zt smallint NOT NULL
);
COMMENT ON TABLE his.zy_yzzx IS '医嘱执行记录';
COMMENT ON COLUMN his.zy_yzzx.zxid IS '执行流水';
COMMENT ON COLUMN his.zy_yzzx.yzh IS '医嘱号';
COMMENT ON COLUMN his.zy_yzzx.zyh IS '住院号';
COMMENT ON COLUMN his.zy_yzzx.bqdm IS '病区';
COMMENT ON COLUMN his.zy_yzzx.cat1_type IS '医嘱类别';
COMMENT ON COLUMN his.zy_yzzx.order_code IS '医嘱项目代码';
COMMENT ON COLUMN his.zy_yzzx.sl IS '执行数量';
COMMENT ON COLUMN his.zy_yzzx.zx_time IS '执行时间';
COMMENT ON COLUMN his.zy_yzzx.zxhs IS '执行护士';
COMMENT ON COLUMN his.zy_yzzx.zx_zt IS '状态：0 待执行 1 已执行';

CREATE TABLE his.zy_fymx (
    fyxh bigint NOT NULL,
    zyh bigint NOT NULL,
    brid varchar(10) NOT NULL,
    fylb varchar(4) NOT NULL,
    fydm varchar(10) NOT NULL,
    sl numeric(10,2) NOT NULL,
    je numeric(12,2) NOT NULL,
    kdys varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    bqdm varchar(8) NOT NULL,
    jf_time timestamp(0) NOT NULL
);
COMMENT ON TABLE his.zy_fymx IS '住院费用明细（药品与非药品）';
COMMENT ON COLUMN his.zy_fymx.fyxh IS '费用流水';
COMMENT ON COLUMN his.zy_fymx.zyh IS '住院号';
COMMENT ON COLUMN his.zy_fymx.brid IS '病人号';
COMMENT ON COLUMN his.zy_fymx.fylb IS '费用类别：YP 药品 HC 耗材 HY 检验 HL 护理';
COMMENT ON COLUMN his.zy_fymx.fydm IS '费用代码';
COMMENT ON COLUMN his.zy_fymx.sl IS '数量';
COMMENT ON COLUMN his.zy_fymx.je IS '金额';
COMMENT ON COLUMN his.zy_fymx.kdys IS '开单医生';
COMMENT ON COLUMN his.zy_fymx.ksdm IS '科室';
COMMENT ON COLUMN his.zy_fymx.bqdm IS '病区';
COMMENT ON COLUMN his.zy_fymx.jf_time IS '记费时间';

CREATE TABLE his.hc_sy (
    syid bigint NOT NULL,
    hcdm varchar(10) NOT NULL,
    tm varchar(24) NOT NULL,
    zyh bigint NOT NULL,
    brid varchar(10) NOT NULL,
    ysdm varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    sl numeric(10,2) NOT NULL,
    je numeric(12,2) NOT NULL,
    sy_time timestamp(0) NOT NULL
);
COMMENT ON TABLE his.hc_sy IS '高值耗材使用登记';
COMMENT ON COLUMN his.hc_sy.syid IS '登记号';
COMMENT ON COLUMN his.hc_sy.hcdm IS '耗材代码';
COMMENT ON COLUMN his.hc_sy.tm IS '条码';
COMMENT ON COLUMN his.hc_sy.zyh IS '住院号';
COMMENT ON COLUMN his.hc_sy.brid IS '病人号';
COMMENT ON COLUMN his.hc_sy.ysdm IS '使用医生';
COMMENT ON COLUMN his.hc_sy.ksdm IS '科室';
COMMENT ON COLUMN his.hc_sy.sl IS '数量';
COMMENT ON COLUMN his.hc_sy.je IS '金额';
COMMENT ON COLUMN his.hc_sy.sy_time IS '使用时间';

CREATE TABLE his.yf_crk (
    lsh bigint NOT NULL,
    yfdm varchar(4) NOT NULL,
    ypdm varchar(10) NOT NULL,
    biz_type varchar(4) NOT NULL,
    sl numeric(12,2) NOT NULL,
    ph varchar(20),
    ksdm varchar(8),
    rel_no varchar(20),
    rq timestamp(0) NOT NULL,
    czy varchar(8)
);
COMMENT ON TABLE his.yf_crk IS '药品出入库流水';
COMMENT ON COLUMN his.yf_crk.lsh IS '流水号';
COMMENT ON COLUMN his.yf_crk.yfdm IS '药房药库';
COMMENT ON COLUMN his.yf_crk.ypdm IS '药品代码';
COMMENT ON COLUMN his.yf_crk.biz_type IS '业务类型：001 采购入库 010 盘点 020 门诊发药 021 病区发药 030 报损';
COMMENT ON COLUMN his.yf_crk.sl IS '数量（入正出负）';
COMMENT ON COLUMN his.yf_crk.ph IS '批号';
COMMENT ON COLUMN his.yf_crk.ksdm IS '领用科室';
COMMENT ON COLUMN his.yf_crk.rel_no IS '关联单号';
COMMENT ON COLUMN his.yf_crk.rq IS '日期';
COMMENT ON COLUMN his.yf_crk.czy IS '操作员';

CREATE TABLE his.yf_kc (
    yfdm varchar(4) NOT NULL,
    ypdm varchar(10) NOT NULL,
    kcsl numeric(12,2) NOT NULL,
    ph varchar(20) NOT NULL,
    yxq date NOT NULL
);
COMMENT ON TABLE his.yf_kc IS '药房库存';
COMMENT ON COLUMN his.yf_kc.yfdm IS '药房药库';
COMMENT ON COLUMN his.yf_kc.ypdm IS '药品代码';
COMMENT ON COLUMN his.yf_kc.kcsl IS '库存数量';
COMMENT ON COLUMN his.yf_kc.ph IS '批号';
COMMENT ON COLUMN his.yf_kc.yxq IS '有效期';

CREATE TABLE his.jc_sq (
    sqid bigint NOT NULL,
    brid varchar(10) NOT NULL,
    jzid bigint NOT NULL,
    ysdm varchar(8) NOT NULL,
    ksdm varchar(8) NOT NULL,
    xmdm varchar(10) NOT NULL,
    sq_time timestamp(0) NOT NULL,
    zt smallint NOT NULL
);
COMMENT ON TABLE his.jc_sq IS '检查检验申请';
COMMENT ON COLUMN his.jc_sq.sqid IS '申请号';
COMMENT ON COLUMN his.jc_sq.brid IS '病人号';
COMMENT ON COLUMN his.jc_sq.jzid IS '就诊号';
COMMENT ON COLUMN his.jc_sq.ysdm IS '申请医生';
COMMENT ON COLUMN his.jc_sq.ksdm IS '申请科室';
COMMENT ON COLUMN his.jc_sq.xmdm IS '项目';
COMMENT ON COLUMN his.jc_sq.sq_time IS '申请时间';
COMMENT ON COLUMN his.jc_sq.zt IS '状态：0 申请 1 报告';

CREATE TABLE his.lis_jg (
    jgid bigint NOT NULL,
    sqid bigint NOT NULL,
    brid varchar(10) NOT NULL,
    zbmc varchar(20) NOT NULL,
    jg numeric(10,2) NOT NULL,
    ckz varchar(20),
    bg_time timestamp(0) NOT NULL
);
COMMENT ON TABLE his.lis_jg IS '检验结果';
COMMENT ON COLUMN his.lis_jg.jgid IS '结果号';
COMMENT ON COLUMN his.lis_jg.sqid IS '申请号';
COMMENT ON COLUMN his.lis_jg.brid IS '病人号';
COMMENT ON COLUMN his.lis_jg.zbmc IS '指标';
COMMENT ON COLUMN his.lis_jg.jg IS '结果';
COMMENT ON COLUMN his.lis_jg.ckz IS '参考值';
COMMENT ON COLUMN his.lis_jg.bg_time IS '报告时间';

CREATE TABLE his.hs_build (
    id smallint NOT NULL,
    version integer NOT NULL,
    seed bigint NOT NULL,
    scale numeric(8,4) NOT NULL,
    until date NOT NULL,
    made_at timestamptz(0) NOT NULL,
    note varchar(100) NOT NULL
);
COMMENT ON TABLE his.hs_build IS '合成数据标记：本库全部数据为程序虚构';
COMMENT ON COLUMN his.hs_build.id IS '固定为 1';
COMMENT ON COLUMN his.hs_build.version IS '生成器版本';
COMMENT ON COLUMN his.hs_build.seed IS '种子';
COMMENT ON COLUMN his.hs_build.scale IS '规模';
COMMENT ON COLUMN his.hs_build.until IS '数据截止日';
COMMENT ON COLUMN his.hs_build.made_at IS '生成时间';
COMMENT ON COLUMN his.hs_build.note IS '说明';

CREATE VIEW his.v_mz_cf AS
    SELECT *
    FROM his.mz_cf
    UNION ALL SELECT *
    FROM his.mz_cf_his;
COMMENT ON VIEW his.v_mz_cf IS '全部处方（当前与历史）';
CREATE VIEW his.v_mz_cfmx AS
    SELECT *
    FROM his.mz_cfmx
    UNION ALL SELECT *
    FROM his.mz_cfmx_his;
COMMENT ON VIEW his.v_mz_cfmx IS '全部处方明细（当前与历史）';
CREATE VIEW his.v_brcf AS
    SELECT c.brid, c.cfh, c.kf_time, g.ygxm, y.ypmc, y.gg, m.sl, m.je, m.yf, m.pc
    FROM his.v_mz_cf c
    JOIN his.v_mz_cfmx m ON m.cfh = c.cfh
    JOIN his.yk_ypzd y ON y.ypdm = m.ypdm
    JOIN his.gy_ygdm g ON g.ygdm = c.ysdm;
COMMENT ON VIEW his.v_brcf IS '病人处方一览（按病人号查询）';
CREATE VIEW his.v_kc AS
    SELECT k.yfdm, k.ypdm, y.ypmc, y.gg, k.kcsl, k.ph, k.yxq
    FROM his.yf_kc k
    JOIN his.yk_ypzd y ON y.ypdm = k.ypdm;
COMMENT ON VIEW his.v_kc IS '药品库存一览';
CREATE VIEW rpt.outp_rx AS
    SELECT cfh AS rx_no, brid AS pid, ysdm AS dr_code, ksdm AS dept_code, kf_time AS rx_time
    FROM his.v_mz_cf;
COMMENT ON VIEW rpt.outp_rx IS '处方（报表库）';
CREATE VIEW rpt.outp_rx_item AS
    SELECT mxid AS item_no, cfh AS rx_no, ypdm AS drug_code, sl AS qty, je AS amount
    FROM his.v_mz_cfmx;
COMMENT ON VIEW rpt.outp_rx_item IS '处方明细（报表库）';
CREATE VIEW rpt.drug_dict AS
    SELECT ypdm AS drug_code, ypmc AS drug_name, kss_jb AS antibac_level, yplb AS drug_class
    FROM his.yk_ypzd;
COMMENT ON VIEW rpt.drug_dict IS '药品字典（报表库）';
CREATE VIEW rpt.staff_dict AS
    SELECT ygdm AS staff_no, ygxm AS staff_name, ksdm AS dept_code
    FROM his.gy_ygdm;
COMMENT ON VIEW rpt.staff_dict IS '员工字典（报表库）';

CREATE FUNCTION his.fn_ypmc(dm varchar) RETURNS varchar LANGUAGE sql STABLE AS $$
    SELECT ypmc FROM his.yk_ypzd WHERE ypdm = dm
$$;
COMMENT ON FUNCTION his.fn_ypmc(dm varchar) IS '按药品代码取通用名';
CREATE FUNCTION his.fn_ygxm(dm varchar) RETURNS varchar LANGUAGE sql STABLE AS $$
    SELECT ygxm FROM his.gy_ygdm WHERE ygdm = dm
$$;
COMMENT ON FUNCTION his.fn_ygxm(dm varchar) IS '按工号取姓名';
CREATE FUNCTION his.fn_nl(csrq date) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT extract(year FROM age(current_date, csrq))::integer
$$;
COMMENT ON FUNCTION his.fn_nl(csrq date) IS '按出生日期算年龄';
CREATE FUNCTION rpt.fn_ysyy(kssj date, jssj date)
    RETURNS TABLE (dr_code varchar, drug_code varchar, qty numeric) LANGUAGE sql STABLE AS $$
    SELECT c.dr_code, m.drug_code, sum(m.qty)
    FROM rpt.outp_rx c JOIN rpt.outp_rx_item m ON m.rx_no = c.rx_no
    WHERE c.rx_time >= kssj AND c.rx_time < jssj
    GROUP BY c.dr_code, m.drug_code
$$;
COMMENT ON FUNCTION rpt.fn_ysyy(kssj date, jssj date) IS '医生用药月报';
