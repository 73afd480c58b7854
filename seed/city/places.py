"""Authorities, sites, centres and enterprises: made-up names, Beijing's districts (GB/T 2260)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exams.scheduling import add_room
from seed.people import made_up_uscc
from training.models import OrganisationKind
from training.models import PersonCategory as Kind
from training.organisations import register_organisation

if TYPE_CHECKING:
    from datetime import datetime

    from seed.city.state import City

DISTRICTS = {
    "东城": "110101", "西城": "110102", "朝阳": "110105", "丰台": "110106", "石景山": "110107", "海淀": "110108",
    "门头沟": "110109", "房山": "110111", "通州": "110112", "顺义": "110113", "昌平": "110114", "大兴": "110115",
    "怀柔": "110116", "平谷": "110117", "密云": "110118", "延庆": "110119",
}  # fmt: skip
_SPARE_ADDRESS = "示例路 {number} 号（虚构地址）"


@dataclass(frozen=True)
class Industry:
    """An industry by GB/T 4754 with its usual departments and posts."""

    code: str
    is_high_risk: bool
    posts: tuple[tuple[str, str], ...]


INDUSTRIES = {
    "软件": Industry("I65", False, (("研发部", "软件工程师"), ("研发部", "测试工程师"), ("运维部", "机房运维"),
                                   ("市场部", "客户经理"), ("行政部", "行政专员"), ("产品部", "产品经理"))),
    "建筑": Industry("E47", True, (("工程一部", "施工员"), ("工程一部", "架子工"), ("工程二部", "焊工"),
                                  ("工程二部", "钢筋工"), ("质量安全部", "质检员"), ("物资部", "仓库管理员"))),
    "餐饮": Industry("H62", False, (("后厨", "厨师"), ("后厨", "切配工"), ("前厅", "服务员"), ("采购部", "采购员"))),
    "物业": Industry("K70", False, (("工程部", "维修工"), ("秩序部", "消防控制室值班员"), ("秩序部", "保安员"),
                                   ("客服部", "客服专员"))),
    "机械": Industry("C34", False, (("一车间", "数控操作工"), ("一车间", "钳工"), ("二车间", "焊工"),
                                   ("设备部", "设备维修工"), ("仓储部", "叉车工"))),
    "化工": Industry("C26", True, (("生产部", "化工操作工"), ("生产部", "班组长"), ("储运部", "装卸工"),
                                  ("检验部", "化验员"))),
    "运输": Industry("G54", True, (("车队", "驾驶员"), ("车队", "押运员"), ("调度室", "调度员"), ("维修班", "汽修工"))),
    "商贸": Industry("F52", False, (("卖场", "营业员"), ("卖场", "理货员"), ("仓储部", "仓库管理员"))),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """An enterprise to found: name, industry, district, staff."""

    name: str
    industry: str
    district: str
    staff: int


MAIN = Plan("北京示例云图软件有限公司", "软件", "海淀", 60)
PLANS = (
    MAIN,
    Plan("北京示例星河数据服务有限公司", "软件", "海淀", 22),
    Plan("北京演示青禾信息技术有限公司", "软件", "朝阳", 16),
    Plan("北京演示远帆网络科技有限公司", "软件", "昌平", 12),
    Plan("北京示例拾光游戏软件有限公司", "软件", "石景山", 18),
    Plan("北京演示木棉智能科技有限公司", "软件", "大兴", 9),
    Plan("北京示例量衡算法有限公司", "软件", "西城", 7),
    Plan("北京示例筑远建设工程有限公司", "建筑", "丰台", 44),
    Plan("北京演示磐基建筑工程有限公司", "建筑", "通州", 32),
    Plan("北京示例合木装饰工程有限公司", "建筑", "朝阳", 18),
    Plan("北京演示云梯安装工程有限公司", "建筑", "房山", 21),
    Plan("北京示例长固市政工程有限公司", "建筑", "顺义", 26),
    Plan("北京演示绿檐园林工程有限公司", "建筑", "密云", 12),
    Plan("北京示例小满餐饮管理有限公司", "餐饮", "东城", 17),
    Plan("北京演示百味轩餐饮有限公司", "餐饮", "西城", 13),
    Plan("北京示例炊烟团餐服务有限公司", "餐饮", "朝阳", 20),
    Plan("北京演示豆汁铺子食品店", "餐饮", "东城", 6),
    Plan("北京示例安居物业服务有限公司", "物业", "朝阳", 30),
    Plan("北京演示金钥匙物业管理有限公司", "物业", "海淀", 24),
    Plan("北京示例望京楼宇管理有限公司", "物业", "朝阳", 15),
    Plan("北京演示和苑物业服务有限公司", "物业", "丰台", 11),
    Plan("北京示例门头沟供热服务有限公司", "物业", "门头沟", 14),
    Plan("北京示例精铸机械有限公司", "机械", "顺义", 34),
    Plan("北京演示锐锋数控设备有限公司", "机械", "昌平", 22),
    Plan("北京示例恒力起重设备有限公司", "机械", "大兴", 18),
    Plan("北京演示双环轴承制造有限公司", "机械", "平谷", 16),
    Plan("北京示例北辰电器成套有限公司", "机械", "怀柔", 20),
    Plan("北京演示化工贸易有限公司", "化工", "房山", 19),
    Plan("北京示例清源水处理药剂有限公司", "化工", "房山", 15),
    Plan("北京演示蓝焰工业气体有限公司", "化工", "通州", 13),
    Plan("北京示例彩墨涂料有限公司", "化工", "大兴", 17),
    Plan("北京示例顺达物流有限公司", "运输", "顺义", 25),
    Plan("北京演示捷行客运有限公司", "运输", "丰台", 18),
    Plan("北京示例冷链速运有限公司", "运输", "通州", 14),
    Plan("北京演示延庆旅游客运有限公司", "运输", "延庆", 9),
    Plan("北京示例邻里超市连锁有限公司", "商贸", "石景山", 16),
    Plan("北京演示万家便利商贸有限公司", "商贸", "西城", 10),
    Plan("北京示例家装建材城有限公司", "商贸", "丰台", 12),
    Plan("北京演示文创百货有限公司", "商贸", "东城", 8),
    Plan("北京示例延庆山货行", "商贸", "延庆", 5),
)  # fmt: skip
CENTRES = (
    ("centre-1", "演示安全技术培训中心", "朝阳"), ("centre-2", "示例职业技能培训学校", "昌平"),
    ("centre-3", "演示电力安全培训学校", "房山"),
)  # fmt: skip
SITES = (
    ("site-1", "演示第一考试点（朝阳）", "朝阳"), ("site-2", "演示第二考试点（海淀）", "海淀"),
    ("site-3", "示例第三考试点（大兴）", "大兴"), ("site-4", "示例第四考试点（昌平）", "昌平"),
)  # fmt: skip
AUTHORITIES = (
    ("city", "演示市应急管理局（虚构）", "东城"),
    ("district", "演示市朝晖区应急管理局（虚构）", "朝阳"),
)  # fmt: skip
_ROOMS = (("第一理论考场", 40, False), ("第二理论考场", 20, False), ("随到随考室", 12, False), ("实操一区", 12, True),
          ("实操二区", 8, True))  # fmt: skip


async def found_public_places(city: City, *, now: datetime) -> None:
    """Authorities, sites and centres."""
    rows = [
        *((OrganisationKind.AUTHORITY, "11", row) for row in AUTHORITIES),
        *((OrganisationKind.SITE, "12", row) for row in SITES),
        *((OrganisationKind.CENTRE, "52", row) for row in CENTRES),
    ]
    async with city.work() as session:
        for number, (kind, department, (key, name, district)) in enumerate(rows, 1):
            place = await register_organisation(
                session,
                kind=kind,
                name=name,
                uscc=made_up_uscc(number, department=department),
                district_code=DISTRICTS[district],
                address=district + "区" + _SPARE_ADDRESS.format(number=number * 3),
                is_demo=True,
                now=now,
            )
            city.places[key] = place.id


async def furnish_sites(city: City, *, now: datetime) -> None:
    """Rooms: two for batches, one for on-demand exams, two for practical tests; fewer at the small sites."""
    async with city.work() as session:
        for number, (site, *_) in enumerate(SITES):
            for place, (name, seats, is_practical) in enumerate(_ROOMS):
                room = await add_room(
                    session,
                    site_id=city.places[site],
                    name=name,
                    seats=seats if number == 0 else seats // 2,
                    is_practical=is_practical,
                    actor_id=city.who("site_head"),
                    now=now,
                )
                city.rooms[f"{site}/{place}"] = room.id


_EVERY_SIXTH, _THIRD = 6, 2


def post_of(industry: Industry, place: int) -> tuple[Kind, str, str]:
    """Category, post and department of the n-th of the staff, counted from 0."""
    if place == 0:
        return Kind.PRINCIPAL, "总经理", "总经理办公室"
    if place == 1:
        return Kind.SAFETY_MANAGER, "安全主管", "安全管理部"
    if place % _EVERY_SIXTH == _THIRD:
        return Kind.SPECIAL_OPERATOR, "电工", "设备保障部"
    department, post = industry.posts[place % len(industry.posts)]
    category = {7: Kind.DISPATCHED, 9: Kind.INTERN}.get(place % 11, Kind.EMPLOYEE)
    return category, post, department
