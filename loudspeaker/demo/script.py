"""The sample commune and its election morning, as plain data.

The morning lasts under three minutes: two broadcasts overlap in different villages, and one in all villages is
pre-empted by a higher class in two of them and resumed there.
"""

from dataclasses import dataclass

COMMUNE = "Xã Sơn Dương"
IDENTIFIER = "000.00.01.H60"
PHONE = "02073835123"


@dataclass(frozen=True)
class Person:
    """A sample account; `role` is granted at the commune."""

    login: str
    name: str
    role: str


@dataclass(frozen=True)
class Pole:
    """A sample node."""

    name: str
    location: str


@dataclass(frozen=True)
class Village:
    """A sample village with its poles and its spot on the map (latitude, longitude)."""

    name: str
    where: tuple[float, float]
    poles: tuple[Pole, ...]


@dataclass(frozen=True)
class Piece:
    """A sample bulletin, spoken by the machine."""

    key: str
    title: str
    kind: str
    air_class: int
    text: str


@dataclass(frozen=True)
class Slot:
    """One programme of the morning: `after_s` seconds from its beginning, in `villages` (empty: all)."""

    title: str
    after_s: float
    air_class: int
    pieces: tuple[str, ...]
    villages: tuple[str, ...] = ()


PEOPLE = (
    Person("quantri", "Lê Văn Quang", "administrator"),
    Person("hoa", "Nguyễn Thị Hoa", "editor"),
    Person("lanh", "Trần Văn Lành", "approver"),
    Person("tho", "Hoàng Văn Thọ", "technician"),
    Person("giamsat", "Phạm Thị Mai", "auditor"),
)

VILLAGES = (
    Village("Đồng Tâm", (21.7041, 105.3952),
            (Pole("Đồng Tâm 1", "cổng nhà văn hóa"), Pole("Đồng Tâm 2", "ngã ba chợ"))),
    Village("Tân Bắc", (21.7107, 105.3786), (Pole("Tân Bắc", "sân trường tiểu học"),)),
    Village("Xóm Thấp", (21.6951, 105.3842), (Pole("Xóm Thấp", "đầu cầu treo"),)),
    Village("Làng Cả", (21.7166, 105.3861), (Pole("Làng Cả 1", "đình làng"), Pole("Làng Cả 2", "trạm biến áp"))),
    Village("Phúc Bình", (21.6922, 105.3969), (Pole("Phúc Bình 1", "nhà văn hóa thôn"), Pole("Phúc Bình 2", "bến xe"))),
    Village("Khe Mo", (21.6989, 105.4079), (Pole("Khe Mo", "nhà ông Thức"),)),
    Village("Nà Lừa", (21.7198, 105.4035), (Pole("Nà Lừa", "đồi chè"),)),
    Village("Cây Thị", (21.6868, 105.3871), (Pole("Cây Thị 1", "trạm y tế"), Pole("Cây Thị 2", "cửa rừng"))),
)

PIECES = (
    Piece("greeting", "Lời chào buổi sáng", "news", 0,
          "Đài truyền thanh xã Sơn Dương. Hôm nay là ngày bầu cử đại biểu Quốc hội "
          "và đại biểu Hội đồng nhân dân các cấp."),
    Piece("places", "Địa điểm và giờ bỏ phiếu", "voting_information", 0,
          "Cử tri bỏ phiếu tại nhà văn hóa thôn, từ bảy giờ sáng đến bảy giờ tối. "
          "Khi đi, đề nghị cử tri mang theo thẻ cử tri. "
          "Người già yếu, ốm đau được tổ bầu cử mang hòm phiếu phụ đến tận nhà."),
    Piece("how", "Cách ghi phiếu bầu", "voting_information", 0,
          "Cử tri gạch tên người mình không bầu, để lại tên người mình chọn. "
          "Mỗi phiếu không để lại quá số đại biểu được bầu. Không viết thêm, không đánh dấu vào phiếu."),
    Piece("call", "Lời kêu gọi cử tri đi bỏ phiếu", "encouragement", 0,
          "Đi bầu cử là quyền và nghĩa vụ của mỗi công dân. Ủy ban nhân dân xã kêu gọi toàn thể cử tri "
          "đi bỏ phiếu đầy đủ, đúng giờ, sáng suốt lựa chọn những người tiêu biểu về đức và tài."),
    Piece("order", "Nội quy phòng bỏ phiếu", "voting_information", 0,
          "Trong phòng bỏ phiếu, cử tri giữ trật tự, tự mình viết phiếu, không ai được xem khi cử tri viết."),
    Piece("bridge", "Cầu treo tạm ngừng qua lại", "notice", 1,
          "Thông báo. Cầu treo Xóm Thấp tạm ngừng qua lại để sửa chữa. Bà con đi vòng đường tỉnh lộ."),
    Piece("turnout", "Tình hình bỏ phiếu đầu giờ", "voting_information", 0,
          "Đến bảy giờ sáng, tất cả các khu vực bỏ phiếu trong xã đã khai mạc. "
          "Đề nghị cử tri chưa đi bỏ phiếu thu xếp đi sớm."),
)

MORNING = (
    Slot("Chào buổi sáng ngày bầu cử", 0, 0, ("greeting",)),
    Slot("Địa điểm bỏ phiếu phía bắc", 18, 0, ("places",), ("Đồng Tâm", "Tân Bắc", "Làng Cả", "Nà Lừa")),
    Slot("Cách ghi phiếu phía nam", 23, 0, ("how",), ("Xóm Thấp", "Phúc Bình", "Khe Mo", "Cây Thị")),
    Slot("Kêu gọi cử tri", 50, 0, ("call", "order"), ()),
    Slot("Thông báo cầu treo", 58, 1, ("bridge",), ("Xóm Thấp", "Cây Thị")),
    Slot("Tình hình bỏ phiếu", 112, 0, ("turnout",), ()),
)
