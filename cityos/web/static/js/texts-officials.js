// What officials read, in the form of texts.js.

export const OFFICIALS_TEXTS = {
  "officials.button": ["Officials", "職員用"],
  "officials.button.in": ["Signed in", "職員ログイン中"],
  "officials.title": ["Officials", "職員用画面"],
  "officials.explain": [
    "With an official's key you see and decide proposed orders. Your key's name is recorded.",
    "職員用キーで避難情報の発令案を確認し、決定できます。決定はキーの名義とともに記録されます。",
  ],
  "officials.key": ["Key", "職員用キー"],
  "officials.key.kept": [
    "The key is forgotten when this tab is closed.",
    "キーはこのタブを閉じると破棄されます。",
  ],
  "officials.sign_in": ["Sign in", "ログイン"],
  "officials.sign_out": ["Sign out", "ログアウト"],
  "officials.signed_in": [
    "You are signed in on this tab.",
    "このタブでログインしています。",
  ],
  "officials.key.missing": ["Enter a key.", "キーを入力してください。"],
  "officials.key.refused": [
    "This key is not valid here. Check it, or ask the administrator for a new one.",
    "このキーは使用できません。内容を確認するか、管理者に再発行を依頼してください。",
  ],
  "officials.key.forbidden": [
    "This key may not decide on orders. Ask the administrator for an official's key.",
    "このキーには発令の権限がありません。管理者に職員用キーの発行を依頼してください。",
  ],
  "officials.key.another_city": [
    "This key belongs to another city. Enter a key of the city that this page shows.",
    "このキーは別の自治体のものです。この画面の自治体の職員用キーを入力してください。",
  ],
  "officials.key.failed": [
    "The key could not be checked: the city does not answer. Try again.",
    "キーを確認できませんでした。しばらくしてからもう一度お試しください。",
  ],

  "decisions.title": ["Decisions to make", "決定待ちの発令案"],
  "decisions.none": ["Nothing waits for a decision.", "決定待ちの発令案はありません。"],
  "decisions.failed": [
    "The proposals could not be loaded. The page keeps trying.",
    "発令案を読み込めませんでした。再試行を続けています。",
  ],
  "decisions.new": ["A new proposal waits for a decision.", "新しい発令案が届きました。"],
  "decisions.proposed": ["Proposed by {service}, {time}", "{service}による提案 {time}"],
  "decisions.stand_down": ["Lift the order", "解除"],
  "decisions.evidence": ["Evidence", "根拠"],
  "decisions.measured": ["measured", "観測値"],
  "decisions.threshold": ["threshold", "基準値"],
  "present.value": ["now: {value} ({time})", "現在 {value}（{time}）"],
  "present.stale": ["{value} ({time})", "{value}（{time}）"],
  "present.below": ["below the threshold again", "現在は基準値未満"],
  "decisions.alone": ["alone calls for level {level}", "単独ではレベル{level}相当"],
  "decisions.rule": ["Rules {version}", "判定ルール {version}"],
  "decisions.approve": ["Approve…", "承認に進む"],
  "decisions.reject": ["Reject…", "却下に進む"],
  "decisions.exercise": ["Exercise", "訓練"],
  "decisions.actual": ["Actual", "実際"],

  "decide.approve.title": ["Issue this order?", "この避難情報を発令しますか"],
  "decide.approve.down": ["Lift this order?", "この避難情報を解除しますか"],
  "decide.reject.title": ["Reject this proposal?", "この発令案を却下しますか"],
  "decide.approve.what": [
    "It goes out at once through every channel of the city.",
    "承認すると、市のすべての伝達手段で直ちに配信されます。",
  ],
  "decide.approve.exercise": [
    "It goes out marked as an exercise on every channel.",
    "すべての伝達手段に【訓練】と明記して配信されます。",
  ],
  "decide.reject.what": [
    "No alert goes out. The proposal is kept with your reason.",
    "避難情報は配信されません。発令案は却下理由とともに保存されます。",
  ],
  "decide.reject.what.down": [
    "The order stays in force. You can end it at any time where it is shown, above.",
    "避難情報は継続します。画面上部の避難情報の欄から、いつでも解除できます。",
  ],
  "decide.hazard": ["Hazard", "災害"],
  "decide.area": ["Area", "対象"],
  "decide.note.approve": ["Note (kept with the decision)", "備考（決定とともに保存されます）"],
  "decide.note.reject": ["Reason (required)", "却下の理由（必須）"],
  "decide.note.missing": ["Give a reason.", "理由を入力してください。"],
  "decide.actual.check": [
    "This is not an exercise. I issue it for real.",
    "これは訓練ではありません。実際に発令します。",
  ],
  "decide.actual.missing": [
    "Confirm that this is not an exercise.",
    "訓練ではないことを確認してください。",
  ],
  "decide.approve.do": ["Issue level {level}", "レベル{level}を発令する"],
  "decide.approve.do.exercise": ["Issue level {level} (exercise)", "【訓練】レベル{level}を発令する"],
  "decide.approve.do.down": ["Lift the order", "解除する"],
  "decide.approve.do.down.exercise": ["Lift the order (exercise)", "【訓練】解除する"],
  "decide.reject.do": ["Reject", "却下する"],
  "decide.busy": ["Sending…", "送信中…"],
  "decide.conflict": [
    "Somebody else has decided on this, or a newer proposal took its place.",
    "すでに別の職員が決定したか、新しい発令案に置き換えられています。",
  ],
  "decide.failed": [
    "The decision did not get through. Nothing was issued. Try again.",
    "送信できませんでした。発令されていません。もう一度お試しください。",
  ],
  "decide.unsure": [
    "No answer came in time. Check the alerts in force before you try again.",
    "応答がありませんでした。再試行の前に、発令中の情報を確認してください。",
  ],
  "decide.approved": ["Issued.", "発令しました。"],
  "decide.rejected": ["Rejected.", "却下しました。"],

  "end.title": ["End this order?", "この避難情報を解除しますか"],
  "end.what": [
    "The end goes out at once through every channel of the city.",
    "解除は、市のすべての伝達手段で直ちに配信されます。",
  ],
  "end.what.exercise": [
    "The end goes out marked as an exercise on every channel.",
    "解除は、すべての伝達手段に【訓練】と明記して配信されます。",
  ],
  "end.after": [
    "Afterwards a new order is proposed only when the danger rises, or when you ask to assess it again.",
    "解除後は、危険度が再び高まったとき、または判定をやり直したときに限り、新しい発令案が届きます。",
  ],
  "end.reason": [
    "Reason (required; kept for the record, not published)",
    "解除の理由（必須。記録に残り、公表されません）",
  ],
  "end.check": [
    "This is not an exercise. I end it for real.",
    "これは訓練ではありません。実際に解除します。",
  ],
  "end.do": ["End the order", "解除する"],
  "end.do.exercise": ["End the order (exercise)", "【訓練】解除する"],
  "end.conflict": [
    "This order is not in force any more: it was ended or changed meanwhile.",
    "この避難情報は、すでに解除または変更されています。",
  ],
  "end.failed": [
    "The end did not get through. The order is still in force. Try again.",
    "送信できませんでした。避難情報は継続しています。もう一度お試しください。",
  ],
  "end.done": ["The order has ended.", "解除しました。"],

  "decided.title": ["Danger still there, no order", "発令されていないが危険が続く案件"],
  "decided.rejected": ["Rejected {time} by {by}", "却下 {time}　{by}"],
  "decided.ended": ["Order ended {time} by {by}", "解除 {time}　{by}"],
  "decided.lapsed": ["Order lapsed, issued {time} by {by}", "期限切れ（発令 {time}　{by}）"],
  "decided.reason": ["Reason: {note}", "理由: {note}"],
  "again.button": ["Assess again…", "判定をやり直す…"],
  "again.title": ["Assess this again?", "判定をやり直しますか"],
  "again.what": [
    "Nothing goes out. The rules are applied to the newest readings, at once and with each that follows.",
    "避難情報は配信されません。最新の観測値で直ちに判定し、その後も観測値が届くたびに判定します。",
  ],
  "again.after": [
    "What still calls for an order comes as a new proposal, for you to decide. Where the sensor is silent, nothing comes before its next reading.",
    "発令の基準に達していれば、新しい発令案が届きます。承認するまで発令されません。観測が途絶えている場合は、次の観測値が届くまで発令案は届きません。",
  ],
  "again.reason": [
    "Reason (required; kept for the record, not published)",
    "やり直す理由（必須。記録に残り、公表されません）",
  ],
  "again.do": ["Assess again", "判定をやり直す"],
  "again.conflict": [
    "Not possible now: a proposal waits, an order is in force, or the danger is over.",
    "現在はやり直せません。決定待ちの発令案がある、発令中である、または危険がなくなっています。",
  ],
  "again.failed": [
    "It did not get through. Nothing has changed. Try again.",
    "送信できませんでした。状態は変わっていません。もう一度お試しください。",
  ],
  "again.unsure": [
    "No answer came in time. Look whether it is still listed before you try again.",
    "応答がありませんでした。再試行の前に、この案件がまだ一覧にあるか確認してください。",
  ],
  "again.done": ["The rules are applied again.", "判定をやり直しています。"],

  "exercise.title": ["Exercises under way", "実施中の訓練"],
  "exercise.counts": [
    "{waiting} to decide, {standing} in force",
    "決定待ち{waiting}件、発令中{standing}件",
  ],
  "exercise.end": ["End this exercise…", "訓練を終了…"],
  "exercise.end.title": ["End this exercise?", "この訓練を終了しますか"],
  "exercise.end.what": [
    "What waits for a decision is closed. Orders in force are lifted on every channel, marked as an exercise.",
    "決定待ちの発令案を取り下げ、発令中の避難情報を解除します。解除は【訓練】と明記して配信されます。",
  ],
  "exercise.end.after": [
    "Other exercises and real orders are not touched. Readings of this one that come later begin it anew.",
    "ほかの訓練と実際の避難情報には影響しません。この訓練の観測値が後から届くと、訓練は再び始まります。",
  ],
  "exercise.end.after.practice": [
    "The practice city goes on: its next readings may bring new proposals.",
    "訓練用の都市は動き続けるため、次の観測値から新しい発令案が届くことがあります。",
  ],
  "exercise.end.reason": [
    "Reason (may be left out; kept for the record)",
    "理由（任意。記録に残ります）",
  ],
  "exercise.end.do": ["End the exercise", "訓練を終了する"],
  "exercise.end.failed": [
    "It was not done, or only in part. Try again: it goes on where it stopped.",
    "完了しませんでした。もう一度実行すると、残りを処理します。",
  ],
  "exercise.end.done": ["The exercise has ended.", "訓練を終了しました。"],
};
