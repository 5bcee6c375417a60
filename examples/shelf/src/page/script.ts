/** The page's own script: the form, the remove buttons and the reader. Sent inline with a nonce. */
export const SCRIPT = String.raw`
const form = document.getElementById('add');
const problems = () => form.querySelectorAll('.problem');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  for (const problem of problems()) problem.textContent = '';
  for (const input of form.elements) input.removeAttribute('aria-invalid');
  const values = Object.fromEntries(new FormData(form));
  const number = (text) => (text.trim() === '' ? undefined : Number(text));
  const response = await fetch('/api/books', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...values, published: number(values.published), pages: number(values.pages) }),
  });
  if (response.status === 201) {
    location.assign('/');
    return;
  }
  const { error } = await response.json();
  document.getElementById('form-problem').textContent = error.message;
  for (const { field, message } of error.issues ?? []) {
    const place = document.getElementById(field + '-error');
    if (!place) continue;
    place.textContent = message;
    form.elements[field].setAttribute('aria-invalid', 'true');
  }
  form.querySelector('[aria-invalid]')?.focus();
});

document.addEventListener('click', async (event) => {
  const id = event.target.dataset?.remove;
  if (id === undefined) return;
  event.target.disabled = true;
  await fetch('/api/books/' + encodeURIComponent(id), { method: 'DELETE' });
  location.reload();
});

const button = document.getElementById('read');
const aloud = document.getElementById('aloud');
button.addEventListener('click', async () => {
  button.disabled = true;
  aloud.textContent = '';
  const response = await fetch('/stream');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    aloud.append(value);
  }
  button.disabled = false;
  button.textContent = 'Once more';
});
`;
