export default function Home() {
  return <h1>before</h1>;
}
