export default function Page() {
  return <h1>before</h1>;
}
