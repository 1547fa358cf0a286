"""Where the defaults of a policy come from: what `schedules` says of each, as message ids for the catalogue."""

from loudspeaker.web.i18n import marked

SOURCES = {
    "frames": marked(
        "Outside the hours that people complained about: 04:30–05:30 in Bắc Ninh, Đà Nẵng and Tiền Giang."),
    "quiet_hours": marked("People complained about 04:30–05:30 in Bắc Ninh, Đà Nẵng and Tiền Giang."),
    "longest_session": marked("Hà Nội 2021 (rural communes) and Vĩnh Phúc 2022; relays are included."),
    "sessions_per_day": marked("Vĩnh Phúc 2022; urban Hà Nội: 2 sessions of 15 minutes, on weekdays only."),
    "volume_cap": marked("No document at hand gives a figure: the place sets its own."),
}
