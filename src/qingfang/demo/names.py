"""Words that the synthetic hospital's names are made of. Everything is invented (合成数据).

Rules this module keeps:

1. A drug's name is made of syllables and a class ending (…沙星, …他汀), so that a reader sees what
   it is for; makers are called 合成制药 and a number, so that nobody takes them for real ones.
2. Numbers that identify people are impossible in reality: identity cards have an area code that is
   not given out, telephone numbers start with 100.
"""

from __future__ import annotations

import random

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏"
    "吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅建国志文斌宇浩然欣怡子轩梓涵雨桐"
    "佳琪思远晨曦瑞雪海燕春生立新永康家豪少峰凯琳婷雯倩颖慧洁莹晓东宁安辰毅博睿泽楷诗语若溪可心"
)
SYLLABLES = (
    "阿倍卡达尔法格哈吉凯兰洛曼纳欧帕奇瑞赛泰维西雅佐艾贝迪恩芙高海可利米诺培容舒托沃希云泽安博"
)

# class of drugs: (endings, forms, antibacterial level or 0, share of all drugs, median price in yuan)
CLASSES: dict[str, tuple[tuple[str, ...], tuple[str, ...], int, int, float]] = {
    "抗菌药物": (("西林", "沙星", "霉素", "培南", "唑胺"), ("片", "胶囊", "注射液"), 1, 130, 32),
    "心血管": (("地平", "沙坦", "他汀", "洛尔", "普利"), ("片", "胶囊"), 0, 140, 38),
    "抗血栓": (("格雷", "沙班", "肝素"), ("片", "注射液"), 0, 40, 75),
    "消化": (("拉唑", "替丁", "必利", "益菌"), ("片", "胶囊", "颗粒"), 0, 90, 30),
    "内分泌": (("列净", "列汀", "双胍", "胰岛"), ("片", "注射液"), 0, 80, 52),
    "呼吸": (("特罗", "司特", "奈德", "溴索"), ("片", "吸入剂", "颗粒"), 0, 70, 46),
    "神经": (("西坦", "巴林", "多奈"), ("片", "胶囊", "注射液"), 0, 70, 48),
    "精神": (("西汀", "平酮", "螺酮"), ("片",), 0, 40, 42),
    "抗肿瘤": (("替尼", "单抗", "铂", "紫杉"), ("片", "胶囊", "注射液"), 0, 80, 680),
    "镇痛抗炎": (("昔布", "洛芬", "酚酸"), ("片", "凝胶", "注射液"), 0, 60, 24),
    "麻醉精神": (("芬尼", "唑仑", "泊酚"), ("注射液", "片"), 0, 30, 18),
    "皮肤": (("松", "康唑", "维酯"), ("乳膏", "软膏"), 0, 50, 22),
    "眼科": (("莫素", "列素", "玻酸"), ("滴眼液",), 0, 40, 35),
    "妇产": (("孕酮", "缩素", "雌醇"), ("片", "胶囊", "注射液"), 0, 40, 34),
    "泌尿": (("那雄", "罗辛", "索利"), ("片", "胶囊"), 0, 40, 44),
    "免疫": (("夫酯", "莫司", "氯喹"), ("片", "胶囊"), 0, 40, 120),
    "营养输液": (("氨酸", "脂乳", "葡液"), ("注射液",), 0, 60, 28),
    "中成药": (("清肺", "通络", "安神", "健脾", "活血"), ("颗粒", "胶囊", "丸"), 0, 110, 36),
    "草药": (("草", "根", "藤", "花"), ("饮片",), 0, 40, 6),
}
SPECS = ("0.25g×24", "10mg×7", "5mg×14", "0.5g×12", "20mg×28", "100ml", "2ml×5", "15g", "9g×10")
USES = ("口服", "静滴", "外用", "肌注", "含服", "吸入")
TIMES_A_DAY = ("qd", "bid", "tid", "qn", "prn")
CONSUMABLES = (
    *("冠脉支架", "球囊导管", "人工髋关节", "人工膝关节", "吻合器", "起搏器", "封堵器", "疝补片"),
    *("椎弓根钉", "人工晶体", "输液港", "止血材料", "骨水泥", "导引导丝", "穿刺套件", "留置针"),
    *("引流管", "无菌敷料", "一次性注射器", "气管插管"),
)
FEES: tuple[tuple[str, str, float], ...] = (
    *(
        ("血常规", "HY", 25.0),
        ("尿常规", "HY", 15.0),
        ("肝功能", "HY", 68.0),
        ("肾功能", "HY", 45.0),
    ),
    *(("血脂", "HY", 60.0), ("糖化血红蛋白", "HY", 70.0), ("凝血四项", "HY", 80.0)),
    *(("电解质", "HY", 40.0), ("甲状腺功能", "HY", 160.0), ("肿瘤标志物", "HY", 260.0)),
    *(("胸部CT", "JC", 320.0), ("头颅MRI", "JC", 680.0), ("腹部超声", "JC", 120.0)),
    *(
        ("心电图", "JC", 30.0),
        ("心脏超声", "JC", 260.0),
        ("胃镜", "JC", 380.0),
        ("骨密度", "JC", 150.0),
    ),
    *(
        ("换药", "ZL", 35.0),
        ("雾化吸入", "ZL", 28.0),
        ("针灸", "ZL", 60.0),
        ("康复训练", "ZL", 90.0),
    ),
    *(("一级护理", "HL", 30.0), ("二级护理", "HL", 18.0), ("普通床位费", "CW", 60.0)),
)
DIAGNOSES = (
    *(
        "高血压",
        "2型糖尿病",
        "冠心病",
        "上呼吸道感染",
        "肺炎",
        "慢性胃炎",
        "腰椎间盘突出",
        "脑梗死",
    ),
    *(
        "支气管哮喘",
        "湿疹",
        "白内障",
        "前列腺增生",
        "甲状腺结节",
        "类风湿关节炎",
        "焦虑状态",
        "贫血",
    ),
    *("泌尿系感染", "偏头痛", "骨关节炎", "妊娠状态", "肺结节", "结直肠肿瘤", "慢性肾病", "中耳炎"),
)
LABS = (("指标甲", "3.5-9.5"), ("指标乙", "40-130"), ("指标丙", "0.2-1.9"))


def person(rng: random.Random) -> str:
    """A Chinese name of two or three characters."""
    given = rng.choice(GIVEN) if rng.random() < 0.25 else rng.choice(GIVEN) + rng.choice(GIVEN)
    return rng.choice(SURNAMES) + given


def drug(rng: random.Random, kind: str, taken: set[str]) -> tuple[str, str]:
    """A generic name of the class `kind` that is not in `taken`, and its dosage form."""
    endings, forms = CLASSES[kind][:2]
    while True:
        form = rng.choice(forms)
        stem = "".join(rng.sample(SYLLABLES, rng.choice((1, 2, 2))))
        name = f"{stem}{rng.choice(endings)}{form}"
        if name not in taken:
            taken.add(name)
            return name, form


def identity_card(rng: random.Random, born: str) -> str:
    """18 places like an identity card's, with the area 990101 that no place has."""
    return f"990101{born.replace('-', '')}{rng.randrange(1000):03d}X"


def telephone(rng: random.Random) -> str:
    return f"100{rng.randrange(10**8):08d}"
