"""The vocabulary of hospital schemas: English words, pinyin and its initials, each with its Chinese.

A name is put into Chinese word by word (`cfh` 处方号, `drug_code` 药品代码, `yaopin_bianma`
药品编码), and `lexicon` reads the Chinese, so what a word means stands in one place. To extend it,
add the word here; what a Chinese phrase means is in `lexicon`.

Rules this module keeps:

1. An entry is a word that hospital systems use, never a name of one system.
2. Initials are two letters or more, `h` (号) and `k` (库, at the end of a table's name) apart; an
   ambiguous pair stands for what it means most often in a column, and a longer entry decides where
   neighbours do (`ks` 科室, `kssj` 开始时间).
"""

from __future__ import annotations

from typing import Final


def _table(text: str) -> dict[str, str]:
    """`word 中文` pairs, `a|b 中文` for several words of one meaning."""
    cells = text.split()
    return {
        word: said
        for words, said in zip(cells[::2], cells[1::2], strict=True)
        for word in words.split("|")
    }


ENGLISH: Final = _table(
    """
    drug|drugs|medicament|medicaments|medicine|medicines|medication|medications|med|meds|pharmaceutical|pharmaceuticals 药品
    product|products|goods|sku 商品  material|materials|consumable|consumables|supply|supplies|mat 耗材
    item|items 项目  udi 耗材唯一码  barcode 条码
    doctor|doctors|dr|doc|doct|doctr|physician|physicians|prescriber|healthprof|healthprofessional|clinician|practitioner|provider 医生
    surgeon 手术医生  anesthetist|anaesthetist 麻醉医生  docd 医生代码  attending 主治医生
    staff|employee|employees|emp|empl 员工  gonghao 工号  nurse|nurses 护士
    dept|department|departments|depart 科室  deptcode 科室代码
    ward|wards|station 病区  pharmacy|dispensary|phar 药房  warehouse|storage|storeroom|store|depot 库房
    window|windows 窗口  location|locations 库位
    patient|patients|pat|inhabitant 病人  pid 病人标识  mrn 病案号  psn 病人  mr 病案
    idcard|idno|idenno|ssn|identity|identitycard 身份证号  certno 证件号
    card|cardno 就诊卡号  baby 婴儿  bed|beds 床位
    visit|visits|encounter|encounters|admission|admissions|registration|registrations|registe|register|appointment|appointments|inpatient|outpatient|hospitalization|mdtrt|clinic 就诊
    inp|inhosp|ipd|inhospital 住院  outp|outpt|opd 门诊  inpt 住院
    surgery|surgeries|operation|operations|anes|anesthesia 手术
    prescription|prescriptions|prescribe|presc|rx|recipe|recipes 处方
    order|orders|advice|drord 医嘱  application|apply|request|requests|req 申请
    operator|oper|opr|cashier|creator 操作员  user|users 用户  login|logon 登录
    username 用户名  password|passwd|pwd 密码  hash 摘要
    id|key|uid 标识  code|cd|codg|codes 代码  no|nos|num|sn 号  number|serial|seq 序号  sequence|sequences 序列
    name|fullname 名称  title 职称  desc|description 名称  text 内容
    class|category|catg|kind 类别  type|types 类型  property|quality 性质
    spec|specification|specs|strength 规格  model 型号
    qty|quantity|quantities|cnt|count 数量  total|tot|totals 合计  subtotal 小计金额  sub 子
    amount|amt|cost|costs|charge|charges|fee|fees|money|sumamt|payment|payments 金额  sum 总
    price|pric|prices 单价  rate 比率  tax 税
    date|time|datetime|timestamp|at|day 时间  month 月份  year 年
    birth|birthday|dob|birthdate 出生日期  expire|expiry|expires|expiration|expired|valid|validity 有效期
    manufacturer|producer|firm|factory|maker|prod|producers 厂家  vendor|supplier|suppliers 供应商
    antibiotic|antibiotics|antibacterial 抗菌药物  toxi|toxicity|narcotic|toxic 毒理分类  atc 药理分类
    generic|common|usual|regular 通用  brand|trade|good|commercial 商品
    batch|lot 批号  status|state 状态  flag|flg|is|indicator 标志  unit|units|uom 单位
    dosage|dose|doses 剂量  once 每次  form 剂型  freq|frequency 频次  usage 用法  route|administration 用法
    ordering|requesting|prescribing|bilg|prescribed|requested|ordered|sign 开单
    exec|execute|performing|performed|perform|acord|executing 执行
    primary|referring|referral|treating|admitting|admit 主管
    dispense|dispensed|dispensing|dispenses|dispenser 发药  issue|issued|issuing 发放
    administered|administer|administrations 给药  charging|charged|billing|billed|bill|invoice|invoices 收费
    create|created|crte|entered|enter|insert|inserted|write 录入  update|updated|modified|modify 修改
    by 人  in 入  out 出
    start|begin|started|starting 开始  stop|end|ended|finish|stopped 停止  use|used|uses 使用
    admitted|admitdate 入院  discharge|discharged 出院
    high 高  value 值  hv 高值  list 目录  catalog|catalogue 目录  detail|details|detl|det|line|lines 明细
    detailed 明细  master|main|head|header 主  info|information|base|baseinfo|basic 信息
    record|records|log|logs|history|his 记录  dict|dictionary 字典
    insurance|insur|yb|medins|medicare 医保  hilist 医保目录  chrgitm 收费项目  case 病例  cat 类别  days|hours|times|minutes 天数  national|nation 国家  parent 上级  group|comb 组
    stock|inventory 库存  ledger 台账  movement|movements|move|moves 出入库  purchase|purchases 采购
    storein|stockin|inbound 入库  storeout|stockout|outbound|output|export|stocktake 出库
    consume|consumption|consumed 消耗  biz|business 业务  settlement|settle|setl|settles 结算
    sales|sale 销售  return|returned|refund 退  old 旧  new 新
    lab|labs|lis|laboratory|specimen 检验  exam|examination|radiology|imaging|test|tests 检查
    diagnosis|diagnose|diag|icd 诊断  result|results 结果  report|reports 报告  session|sessions 会话
    memo|remark|remarks|note|notes|comment|comments 备注  phone|tel|mobile|telephone 电话
    addr|address 地址  sex|gender 性别  age 年龄  job|position 岗位  specialty 专业  license|licence 执业证
    input|spell|py|pinyin|wb 拼音  level|grade 级别  room 诊室  hospital|hosp|org|organization 机构
    template|templates 模板  reason 原因  content 内容  ip 地址  sort 排序  enabled|active|enable|deleted|disabled 状态
    current|cur 当前  own 自费  pub 公费  self 自付  plan 计划  next 下次  last 上次  first 首次
    """
)

INITIALS: Final = _table(
    """
    xmbm 项目编码  xmdm 项目代码  xmmc 项目名称  xmlb 项目类别  xmlx 项目类型  xmid 项目标识  xmzd 项目字典  xmxh 项目序号  xmbh 项目编号
    rygh 人员工号  ryxm 人员姓名  rydm 人员代码  rybm 人员编码  rybh 人员编号  ryid 人员标识  ryb 人员表  ryk 人员库  ryzd 人员字典
    kfys 开方医生  kfr 开方人  gr 个人  jh 进货  bg 报告  yfyl 用法用量  brda 病人档案  hzda 患者档案  yeid 婴儿标识
    yp 药品  hc 耗材  cl 材料  wz 物资  wc 卫材  xm 项目  sfxm 收费项目  fyxm 费用项目  dxm 大项目  ml 目录
    ypm 药品名  xmm 项目名  hcm 耗材名  spm 商品名  tym 通用名  idm 药品序号
    ys 医生  yg 员工  zg 职工  gh 工号  ysgh 医生工号  zggh 职工工号  yggh 员工工号  zs 诊室  hs 护士
    zzys 主治医生  zgys 主管医生  ssys 手术医生  zdys 主刀医生  sz 术者
    ks 科室  bq 病区  hldy 护理单元  hl 护理  yf 药房  yk 药库  kf 库房  ck 窗口  ckh 窗口号  fyck 发药窗口
    br 病人  hz 患者  brxm 病人姓名  hzxm 患者姓名  sfz 身份证  sfzh 身份证号  zjhm 证件号码  bah 病案号  blh 病历号
    jzkh 就诊卡号  jzk 就诊卡  ybkh 医保卡号  kh 卡号  ch 床号  cw 床位  cwh 床位号  rych 床号
    jz 就诊  zy 住院  zyys 住院医生  ghh 挂号号  ghxh 挂号序号  ghsj 挂号时间  ghrq 挂号日期  ghsb 挂号识别  ghid 挂号标识  ghks 挂号科室
    mz 门诊  mj 门急诊  jzlsh 就诊流水号  lsh 流水号  syxh 首页序号  sy 使用  ryrq 入院日期  rysj 入院时间  cyrq 出院日期  cysj 出院时间
    ryks 入院科室  ry 入院  cy 出院  dj 单价  djh 单据号  djrq 登记日期  djsj 登记时间
    cf 处方  yz 医嘱  yzzh 医嘱组号  zh 组号  fz 分组  fzxh 分组序号  cfdh 处方单号  sqd 申请单  sqdh 申请单号
    czy 操作员  czyh 操作员号  cz 操作  czr 操作人  czgh 操作工号  lrr 录入人  lrczyh 录入操作员号  sfy 收费员  jbr 经办人  shr 审核人
    fyr 发药人  pyr 配药人  qrgh 确认工号  dlzh 登录账号  dlm 登录名
    dm 代码  bm 编码  bh 编号  id 标识  xh 序号  h 号  hm 号码  no 号  sb 识别  sbxh 识别序号
    mc 名称  xm 姓名  lb 类别  fl 分类  dl 大类  lx 类型  xz 性质  jb 级别  sx 属性  gg 规格  xh 序号  cd 产地  cj 厂家  sccj 生产厂家
    kss 抗生素  kssjb 抗生素级别  kssdj 抗生素级别  kssbz 抗生素标志  kjyw 抗菌药物  mzjs 麻醉精神  mjbz 麻精标志  dlfl 毒理分类  ylfl 药理分类
    jbyw 基本药物  jyyw 基本药物  gz 高值  gzbz 高值标志  gzhc 高值耗材
    sl 数量  zsl 总数量  zl 总量  yl 用量  jl 剂量  ypjl 药品剂量  ycjl 一次剂量  ycsl 一次数量  ypsl 药品数量  cfts 处方帖数  ts 天数
    je 金额  zje 总金额  hjje 合计金额  zjje 总计金额  ysje 应收金额  ssje 实收金额  zfje 自费金额  ylfze 医疗费总额  fyze 费用总额  ze 总额  fy 费用
    jg 价格  lsj 零售价  pfj 批发价  jj 进价  ylsj 零售价
    rq 日期  sj 时间  kssj 开始时间  ksrq 开始日期  tzsj 停止时间  tzrq 停止日期  jssj 结束时间  jsrq 结束日期  csrq 出生日期  csny 出生年月
    yxq 有效期  yxrq 有效日期  ypxq 药品效期  sxrq 失效日期  scrq 生产日期  sxq 失效期  ny 年月  yf 药房
    kd 开单  kz 开嘱  kl 开立  zx 执行  sq 申请  sf 收费  fs 发生  tj 统计  lr 录入  zz 主治  jc 检查  jy 检验  ss 手术
    jf 计费  jzsj 记账时间  jzrq 记账日期  jzr 记账人  jzxh 就诊序号  hj 合计  sc 上传  yb 医保  gj 国家  cg 采购  th 退回  tf 退费  ly 领用  lyks 领用科室
    fyrq 发药日期  fysj 发药时间  fysl 发药数量  fybz 发药标志  fyzt 发药状态  bysj 摆药时间  by 摆药  pd 盘点  rk 入库  crk 出入库  kc 库存  kcsl 库存数量  zd 字典  zkc 总库存  cq 长期  ls 临时  czry 操作员
    tz 台账  yw 业务  ywlx 业务类型  ywlb 业务类别  zt 状态  bz 标志  jlzt 记录状态  zf 作废  jlxh 记录序号  jlid 记录标识  mxxh 明细序号  mxid 明细标识
    jlrq 记录日期  jlsj 记录时间  mxh 明细号  mx 明细  jl 记录  zb 主表  xx 信息  jbxx 基本信息  zdmc 诊断名称  zddm 诊断代码  zdbm 诊断编码
    dw 单位  jldw 剂量单位  sldw 数量单位  ypdw 药品单位  pc 频次  sypc 使用频次  ypyf 药品用法  yyff 用药方法  ph 批号  pch 批次号  ypph 药品批号
    jx 剂型  bzxx 备注信息  zc 职称  mm 密码  py 拼音  pym 拼音码  pydm 拼音代码  wb 五笔  dh 电话  lxdh 联系电话  dz 地址  xb 性别  nl 年龄
    fph 发票号  jssjh 结算收据号  jsh 结算号  jslsh 结算流水号  js 结算  tm 条码  tmh 条码号  wym 唯一码  bz 备注  kcl 库存量
    """
)

PINYIN: Final = _table(
    """
    yaopin 药品  haocai 耗材  weicai 卫材  cailiao 材料  wuzi 物资  xiangmu 项目  shangpin 商品  tongyong 通用  mulu 目录
    yisheng 医生  yishi 医师  daifu 大夫  yuangong 员工  zhigong 职工  renyuan 人员  hushi 护士  zhenshi 诊室  gonghao 工号
    keshi 科室  bumen 部门  bingqu 病区  yaofang 药房  yaoku 药库  kufang 库房  cangku 仓库  chuangkou 窗口
    bingren 病人  huanzhe 患者  shenfenzheng 身份证  bingan 病案  bingli 病历  jiuzhenka 就诊卡  chuangwei 床位  chuanghao 床号  ka 卡
    jiuzhen 就诊  zhuyuan 住院  menzhen 门诊  jizhen 急诊  guahao 挂号  ruyuan 入院  chuyuan 出院  liushui 流水  dengji 登记
    chufang 处方  yizhu 医嘱  shenqing 申请  shenqingdan 申请单  danju 单据  danhao 单号
    caozuoyuan 操作员  caozuo 操作  luru 录入  shoufeiyuan 收费员  ren 人  denglu 登录  zhanghao 账号
    daima 代码  bianma 编码  bianhao 编号  xuhao 序号  hao 号  haoma 号码  hm 号码  id 标识
    mingcheng 名称  mingzi 名字  xingming 姓名  leibie 类别  fenlei 分类  leixing 类型  dalei 大类  jibie 级别  xingzhi 性质  guige 规格  xinghao 型号
    kangjun 抗菌  kangshengsu 抗生素  yaowu 药物  gaozhi 高值  biaozhi 标志  jixing 剂型  changjia 厂家  shengchan 生产  chandi 产地  gongyingshang 供应商
    shuliang 数量  zongliang 总量  zong 总  jiliang 剂量  yongliang 用量  danci 单次  yici 一次
    jine 金额  feiyong 费用  danjia 单价  jiage 价格  heji 合计  zongjine 总金额  zonge 总额
    riqi 日期  shijian 时间  kaishi 开始  tingzhi 停止  jieshu 结束  youxiaoqi 有效期  chusheng 出生  yuefen 月份
    kaidan 开单  kaifang 开方  kaizhu 开嘱  kaili 开立  zhixing 执行  zhuzhi 主治  zhuguan 主管  shoushu 手术  zhudao 主刀  fayao 发药  peiyao 配药
    shoufei 收费  jizhang 记账  jifei 计费  shiyong 使用  lingyao 领药  lingyong 领用  yongyao 用药  tongji 统计
    mingxi 明细  zhubiao 主表  zhu 主  biao 表  jilu 记录  rizhi 日志  xinxi 信息  zidian 字典  dangan 档案
    kucun 库存  ruku 入库  chuku 出库  churuku 出入库  caigou 采购  pandian 盘点  taizhang 台账  yewu 业务
    zhuangtai 状态  beizhu 备注  danwei 单位  pinci 频次  yongfa 用法  pihao 批号  mima 密码  dianhua 电话  dizhi 地址  xingbie 性别  nianling 年龄  zhicheng 职称
    jianyan 检验  jiancha 检查  zhenduan 诊断  jieguo 结果  baogao 报告  yibao 医保  shangchuan 上传  jiesuan 结算  fapiao 发票  tiaoma 条码
    """
)

# Parts of names that say where a thing belongs, not what it is.
# Words without a meaning of their own.
FILLERS: Final = frozenset({"of", "to", "on", "for", "from", "and", "the", "a"})
NOISE: Final = frozenset(
    {"tb", "tbl", "t", "cur", "ref", "fk", "v", "vw", "his", "hsp", "op", "ip", "com", "sys", "sym"}
    | {"d", "f", "n", "c", "pk", "fin"}
)
