"""The table of everything a verifier can find, with its sentences in Chinese and English.

One code leads to one verdict, always. Where the same observation can mean two things (an index that is skipped in a
whole chain, or next to a record that is missing) there are two codes.
"""

from evidence_store.records import GapCause
from evidence_store.verify.findings import Code, Verdict

_OK = Verdict.OK
_GAPS = Verdict.OK_WITH_DECLARED_GAPS
_INCOMPLETE = Verdict.INCOMPLETE
_CANNOT_JUDGE = Verdict.CANNOT_JUDGE
_NOT_OK = Verdict.NOT_OK

CODES: dict[str, Code] = {}

GAP_CAUSES_ZH: dict[GapCause, str] = {
    "camera_lost": "摄像机信号中断",
    "camera_restarted": "摄像机重新启动",
    "stream_damaged": "视频流损坏",
    "recorder_restarted": "录制程序重新启动",
    "power_lost": "断电",
    "disk_full": "磁盘已满",
    "disk_error": "磁盘故障",
    "overload": "设备过载",
}


def _code(name: str, verdict: Verdict, zh: str, en: str) -> Code:
    code = Code(name, verdict, zh, en)
    CODES[name] = code
    return code


# --- What was given to the verifier ---------------------------------------------------------------------------------

ANCHORS_MISSING = _code(
    "anchors_missing",
    _CANNOT_JUDGE,
    "没有提供信任锚(根证书),无法判断证书由谁签发。",
    "No trust anchors (root certificates) were given, so it cannot be judged who issued the certificates.",
)
STORE_UNREADABLE = _code(
    "store_unreadable",
    _CANNOT_JUDGE,
    "无法列出存储中的对象:{detail}",
    "The objects in the store cannot be listed: {detail}",
)
OBJECT_UNREADABLE = _code(
    "object_unreadable",
    _CANNOT_JUDGE,
    "对象存在但无法读取:{detail}",
    "The object cannot be read: {detail}",
)
OBJECT_TOO_LARGE = _code(
    "object_too_large",
    _CANNOT_JUDGE,
    "对象超过 {limit} 字节,未读取。",
    "The object has more than {limit} bytes and was not read.",
)
SESSION_MISSING = _code(
    "session_missing",
    _INCOMPLETE,
    "存储中没有这次询问录制的任何记录。",
    "The store holds no record of this session.",
)
OBJECT_UNNAMED = _code(
    "object_unnamed",
    _NOT_OK,
    "对象位于本次录制的目录中,但没有任何记录提到它:它是后来加入的。",
    "The object lies in the session's folder, but no record names it: it was added.",
)
OBJECT_REWRITTEN = _code(
    "object_rewritten",
    _NOT_OK,
    "存储中该对象不止一个版本,或曾被删除标记隐藏:写入之后有人覆盖或隐藏过它。",
    "The store holds more than one version of the object, or a delete marker: it was overwritten or hidden later.",
)
OBJECT_UNEXPLAINED = _code(
    "object_unexplained",
    _INCOMPLETE,
    "没有现存记录提到这个媒体对象;提到它的记录可能缺失或尚未写入。",
    "No record that is there names the object; the record that does may be missing or not written yet.",
)

# --- Records and their chain ----------------------------------------------------------------------------------------

RECORD_MISSING = _code(
    "record_missing",
    _INCOMPLETE,
    "缺少第 {first} 至 {last} 号记录。",
    "Records {first} to {last} are missing.",
)
RECORD_MALFORMED = _code(
    "record_malformed",
    _NOT_OK,
    "记录不符合证据格式:{detail}",
    "The record does not follow the evidence format: {detail}",
)
FORMAT_UNKNOWN = _code(
    "format_unknown",
    _CANNOT_JUDGE,
    "记录的格式版本未知:{detail}",
    "The record is of an unknown version of the format: {detail}",
)
RECORD_OF_OTHER_SESSION = _code(
    "record_of_other_session",
    _NOT_OK,
    "记录属于另一次录制({other})。",
    "The record belongs to another session ({other}).",
)
RECORD_NUMBER_DIFFERS = _code(
    "record_number_differs",
    _NOT_OK,
    "存放在第 {due} 号位置的记录自称为第 {stated} 号。",
    "The record stored as number {due} states number {stated}.",
)
RECORD_PREV_DIFFERS = _code(
    "record_prev_differs",
    _NOT_OK,
    "记录所载的前一条记录的哈希值与实际不符:其中一条被改动过。",
    "The record does not name the hash of the record before it: one of the two was changed.",
)
RECORD_OUT_OF_ORDER = _code(
    "record_out_of_order",
    _NOT_OK,
    "类型为 {kind} 的记录不能出现在这个位置。",
    "A record of type {kind} cannot stand here.",
)
RECORD_AFTER_CLOSE = _code(
    "record_after_close",
    _NOT_OK,
    "录制关闭之后又出现了记录。",
    "The record follows the close of its session.",
)
CLOCK_BACKWARDS = _code(
    "clock_backwards",
    _NOT_OK,
    "时钟倒退了 {back} 秒,超出其自身状态所允许的 {allowed} 秒。",
    "Time went back by {back} s; the stated state of the clock allows {allowed} s.",
)
CLOCK_SET_BACK = _code(
    "clock_set_back",
    _OK,
    "时钟未与时间源同步,其间被拨回 {back} 秒。",
    "The clock, which was not synchronised, was set back by {back} s.",
)
MONOTONIC_BACKWARDS = _code(
    "monotonic_backwards",
    _NOT_OK,
    "同一次开机内,单调时钟倒退了 {back} 秒。",
    "Within one boot the monotonic clock went back by {back} s.",
)

# --- Signatures and certificates ------------------------------------------------------------------------------------

SIGNATURE_MISSING = _code(
    "signature_missing",
    _INCOMPLETE,
    "记录缺少数字签名。",
    "The record's signature is missing.",
)
SIGNATURE_WRONG = _code(
    "signature_wrong",
    _NOT_OK,
    "数字签名与记录不符:记录、签名或密钥有一个不是原来的。",
    "The signature does not hold for the record: record, signature or key is not what it was.",
)
CERTIFICATE_MISSING = _code(
    "certificate_missing",
    _INCOMPLETE,
    "缺少签名证书,{records} 条记录的签名无法验证。",
    "The signing certificate is missing; {records} records cannot be checked against it.",
)
CERTIFICATE_ALTERED = _code(
    "certificate_altered",
    _NOT_OK,
    "存放的证书不是记录所指的那一张,{records} 条记录的签名无法用它验证。",
    "What is stored is not the certificate that the records name; {records} records cannot be checked against it.",
)
CERTIFICATE_FILE_ALTERED = _code(
    "certificate_file_altered",
    _NOT_OK,
    "证书文件中除证书及其签发者之外还有别的内容。",
    "Beside the certificate and its issuer, the file holds something else.",
)
CERTIFICATE_ISSUER_MISSING = _code(
    "certificate_issuer_missing",
    _INCOMPLETE,
    "证书文件中缺少签发者证书。",
    "The certificate's issuer is missing beside it.",
)
CERTIFICATE_UNTRUSTED = _code(
    "certificate_untrusted",
    _NOT_OK,
    "签名证书不是由所给信任锚中的根证书签发的。请先确认信任锚是否属于该中心。",
    "No root among the given trust anchors issued the signing certificate. Make sure the anchors are this site's.",
)
CERTIFICATE_NOT_VALID = _code(
    "certificate_not_valid",
    _NOT_OK,
    "{records} 条记录的时间不在签名证书的有效期内({from_time} 至 {to_time})。",
    "The time of {records} records is outside the validity of the certificate ({from_time} to {to_time}).",
)
CERTIFICATE_WRONG_USE = _code(
    "certificate_wrong_use",
    _NOT_OK,
    "签名证书不是为录制设备签发的,不能用于签署记录。",
    "The certificate is not one for recorders and must not sign records.",
)
ALGORITHM_UNKNOWN = _code(
    "algorithm_unknown",
    _CANNOT_JUDGE,
    "签名证书的密钥不是 ECDSA P-256,本格式不认识这种算法。",
    "The certificate's key is not ECDSA P-256; this format knows no other algorithm.",
)

# --- Opening and closing --------------------------------------------------------------------------------------------

SESSION_NAME_DIFFERS = _code(
    "session_name_differs",
    _NOT_OK,
    "录制编号与开始记录中的中心和询问室({site}-{room})不一致。",
    "The session's id does not agree with site and room of its open record ({site}-{room}).",
)
SITE_DIFFERS = _code(
    "site_differs",
    _NOT_OK,
    "记录中的中心是 {site},而信任锚属于 {anchored}。",
    "The records are of site {site}, the trust anchors of {anchored}.",
)
TRACK_TWICE = _code(
    "track_twice",
    _NOT_OK,
    "开始记录中画面 {name} 出现了两次。",
    "The open record names the track {name} twice.",
)
CLOSE_MISSING = _code(
    "close_missing",
    _INCOMPLETE,
    "没有关闭记录:录制尚未结束,或其结尾缺失。",
    "There is no close record: the session is still running, or its end is missing.",
)
CLOSE_RECOVERED = _code(
    "close_recovered",
    _OK,
    "录制是在设备故障恢复后由系统关闭的,不是由操作员关闭。",
    "The session was closed by the recorder after a failure, not by the operator.",
)
TOTALS_DIFFER = _code(
    "totals_differ",
    _NOT_OK,
    "关闭记录中的合计与实际不符:{fields}。",
    "The totals of the close record differ from what is there: {fields}.",
)
TOTALS_INCOMPLETE = _code(
    "totals_incomplete",
    _INCOMPLETE,
    "因缺少记录,关闭记录中的合计无法凑齐:{fields}。",
    "As records are missing, the totals of the close record are not reached: {fields}.",
)

# --- Tracks, segments and gaps as the records state them ------------------------------------------------------------

TRACK_UNKNOWN = _code(
    "track_unknown",
    _NOT_OK,
    "开始记录中没有画面 {name}。",
    "The open record has no track {name}.",
)
SEGMENT_MISSING = _code(
    "segment_missing",
    _INCOMPLETE,
    "缺少第 {first} 至 {last} 段的记录。",
    "The records of segments {first} to {last} are missing.",
)
SEGMENT_SKIPPED = _code(
    "segment_skipped",
    _NOT_OK,
    "记录链完整,但第 {first} 至 {last} 段被跳过。",
    "The chain has no hole, yet segments {first} to {last} are skipped.",
)
SEGMENT_REPEATED = _code(
    "segment_repeated",
    _NOT_OK,
    "第 {index} 段在应为第 {due} 段的位置再次出现。",
    "Segment {index} appears where segment {due} is due.",
)
RUN_OUT_OF_ORDER = _code(
    "run_out_of_order",
    _NOT_OK,
    "连接序号 {run} 不能跟在 {before} 之后。",
    "Run {run} cannot follow {before}.",
)
SEGMENT_KEY_DIFFERS = _code(
    "segment_key_differs",
    _NOT_OK,
    "记录所指的对象({named})不是该段应在的位置。",
    "The record names another object ({named}) than its segment belongs to.",
)
FRAGMENTS_DO_NOT_TILE = _code(
    "fragments_do_not_tile",
    _NOT_OK,
    "记录中各片的位置没有正好铺满该段。",
    "The fragments that the record states do not fill the segment exactly.",
)
INIT_DIFFERS_IN_RUN = _code(
    "init_differs_in_run",
    _NOT_OK,
    "同一次连接内,媒体头前后不同。",
    "The init differs from the one before within the same run.",
)
DECODE_TIMES_BREAK = _code(
    "decode_times_break",
    _NOT_OK,
    "同一次连接内,画面时间不连续(相差 {off} 秒),而同一次连接内不允许有缺口。",
    "Decode times do not run on within a run (off by {off} s), where no gap may be.",
)
SEGMENT_WITHOUT_KEY_FRAME = _code(
    "segment_without_key_frame",
    _NOT_OK,
    "该段不是以关键帧开始。",
    "The segment does not start with a key frame.",
)
GAP_DECLARED = _code(
    "gap_declared",
    _GAPS,
    "有 {missing} 秒未录制,已当场声明,原因:{cause_zh}。",
    "{missing} s were not recorded and declared so at the time; cause: {cause}.",
)
GAP_UNDECLARED = _code(
    "gap_undeclared",
    _NOT_OK,
    "画面中断后重新连接,但没有声明缺口。",
    "The picture was lost and came back, and no gap was declared.",
)
GAP_RECORD_MISSING = _code(
    "gap_record_missing",
    _INCOMPLETE,
    "画面有中断,而可能声明该缺口的记录缺失。",
    "Film is missing here, and the record that may have declared it is missing too.",
)
GAP_LENGTH_DIFFERS = _code(
    "gap_length_differs",
    _NOT_OK,
    "所声明的缺口时长({missing} 秒)与其起止时间不符。",
    "The length of the declared gap ({missing} s) does not agree with its start and end.",
)
GAP_START_DIFFERS = _code(
    "gap_start_differs",
    _NOT_OK,
    "所声明的缺口不是从前面画面结束处开始的。",
    "The declared gap does not start where the film before it ends.",
)
GAP_END_DIFFERS = _code(
    "gap_end_differs",
    _NOT_OK,
    "所声明的缺口不是到后面画面开始处(或录制关闭时)为止的。",
    "The declared gap does not end where the film after it starts, or where the session was closed.",
)
GAP_MISPLACED = _code(
    "gap_misplaced",
    _NOT_OK,
    "所声明的缺口不在任何两次连接之间(第 {after} 段之后)。",
    "The declared gap (after segment {after}) is not between two runs.",
)
GAP_INSIDE_RUN = _code(
    "gap_inside_run",
    _NOT_OK,
    "声明了缺口,但同一次连接的画面在其后继续。",
    "A gap was declared, yet the same run goes on after it.",
)
FILM_ENDS_EARLY = _code(
    "film_ends_early",
    _NOT_OK,
    "画面在录制关闭之前就已中断,但没有声明缺口。",
    "The film of this track ends before the session was closed, and no gap was declared.",
)

# --- Segments as they are -------------------------------------------------------------------------------------------

OBJECT_MISSING = _code(
    "object_missing",
    _INCOMPLETE,
    "缺少该段的媒体对象。",
    "The segment's object is missing.",
)
OBJECT_TRUNCATED = _code(
    "object_truncated",
    _NOT_OK,
    "媒体对象被截短:只有 {found} 字节,应有 {stated} 字节,从第 {first} 片起缺失。",
    "The object was cut short: {found} of {stated} bytes, missing from fragment {first} on.",
)
OBJECT_LENGTHENED = _code(
    "object_lengthened",
    _NOT_OK,
    "媒体对象被加长:有 {found} 字节,应有 {stated} 字节。",
    "The object was lengthened: {found} bytes where {stated} are stated.",
)
OBJECT_CHANGED = _code(
    "object_changed",
    _NOT_OK,
    "媒体对象的哈希值与签名记录不符。",
    "The object's hash is not the one in the signed record.",
)
INIT_CHANGED = _code(
    "init_changed",
    _NOT_OK,
    "该段的媒体头与签名记录不符。",
    "The segment's init is not the one in the signed record.",
)
FRAGMENT_CHANGED = _code(
    "fragment_changed",
    _NOT_OK,
    "第 {first} 至 {last} 片的内容与签名记录不符。",
    "Fragments {first} to {last} are not those in the signed record.",
)
MEDIA_MALFORMED = _code(
    "media_malformed",
    _NOT_OK,
    "媒体对象不是符合证据格式的 MP4:{detail}",
    "The object is not an MP4 of the evidence format: {detail}",
)
MEDIA_DISAGREES = _code(
    "media_disagrees",
    _NOT_OK,
    "媒体中的时间、样本数或编码与签名记录不同:{fields}。",
    "The media states other times, samples or codecs than the signed record: {fields}.",
)
SOUND_MISSING = _code(
    "sound_missing",
    _INCOMPLETE,
    "开始记录称该画面有声音({codec}),该段却没有声音轨。",
    "The open record says that this track has sound ({codec}), but the segment has none.",
)
