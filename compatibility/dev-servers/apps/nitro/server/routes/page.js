export default () => 'before';
