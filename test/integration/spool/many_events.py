"""One Hermes process that takes turns as fast as it can, through the real hooks; the parent kills it at any moment.

After every hook that returned, the number of calls so far is written to the file of acknowledgements.
"""

import os
import sys

plugin_dir, acknowledged, writer, calls = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sys.path.insert(0, plugin_dir)
sys.argv = ["hermes", "chat"]

from host import hooks  # noqa: E402

fd = os.open(acknowledged, os.O_WRONLY | os.O_CREAT)
for call in range(calls):
    turn = call // 2
    session = {"session_id": f"{writer}-{turn // 5}", "turn_id": str(turn), "model": "m", "platform": "cli"}
    if call % 2 == 0:
        hooks.pre_llm_call(user_message="Hi", is_first_turn=turn % 5 == 0, **session)
    else:
        hooks.post_llm_call(**session)
    os.pwrite(fd, b"%012d" % (call + 1), 0)

# On a busy machine the parent may look only now: it is killed in any case, or ends with the parent.
sys.stdin.read()
