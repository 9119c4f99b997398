// The editor of a definition: the place where the text stops being XML is shown, and nothing typed is lost by leaving.

const editor = document.getElementById("definition-xml");

function showPlace(line, column) {
  const lines = editor.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const end = start + (lines[line - 1]?.length ?? 0);
  editor.focus();
  editor.setSelectionRange(Math.min(start + Math.max(column - 1, 0), end), end);
  const height = Number.parseFloat(getComputedStyle(editor).lineHeight);
  editor.scrollTop = Math.max(0, (line - 5) * height);
}

function keepFromLeaving() {
  const before = editor.value;
  let sending = false;
  editor.form.addEventListener("submit", () => (sending = true));
  addEventListener("beforeunload", (event) => {
    if (!sending && editor.value !== before) event.preventDefault();
  });
}

const { line, column } = editor.dataset;
if (line > 0) showPlace(Number(line), Number(column));
keepFromLeaving();
